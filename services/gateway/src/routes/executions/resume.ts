import { setTimeout as sleep } from 'node:timers/promises';
import { APPROVAL_DECISIONS, APPROVAL_REASON_LIMIT, APPROVAL_SCOPES, ENDED_STATUSES, type Principal } from '@code-executor/contracts';
import type { ExecutionRecord } from '@code-executor/executions';
import { AppError, isAppError } from '@code-executor/platform';
import { z } from 'zod';
import type { GatewayApp, RouteDeps } from '../../gateway-app.ts';
import { principalOf } from '../../plugins/authenticate.ts';
import { asReader } from '../../plugins/scopes.ts';
import { errorResponses, WITH_BODY } from '../../validation/route-responses.ts';
import { approvalIdOf } from '../approvals/approvals.ts';
import { pendingApprovals } from '../approvals/show-approvals.ts';
import { executionIdOf, executionParams, historySchema } from './executions.ts';
import { sendRaw, serializeExecutionWithHistory } from './serialize-execution.ts';

const resumeBody = z
  .strictObject({
    approvalId: z.string().optional().describe('which one; without it the one that the execution shows'),
    decision: z.enum(APPROVAL_DECISIONS).optional().describe('takes the role operator; without it nothing is decided'),
    scope: z.enum(APPROVAL_SCOPES).optional(),
    reason: z.string().max(APPROVAL_REASON_LIMIT).optional(),
    wait: z
      .boolean()
      .optional()
      .describe(
        'true: answer when it has ended or waits for another decision. By default so where there is a decision, or it runs on already.',
      ),
  })
  .optional();

/** How long a change takes from a decision to what an execution shows. */
const LOOK_MS = 100;

/** `POST /executions/:id/resume`: decides where it is asked to, and answers how the execution stands, or will. Idempotent, at any replica. */
export function registerResumeRoute(app: GatewayApp, deps: RouteDeps): void {
  const { executions, tools, closing } = deps;
  app.post(
    '/executions/:id/resume',
    {
      config: { access: 'agent' },
      schema: {
        summary: 'Continue a paused execution',
        params: executionParams,
        body: resumeBody,
        response: {
          200: historySchema,
          ...errorResponses([
            ...WITH_BODY,
            'EXECUTION_NOT_FOUND',
            'EXECUTION_NOT_PAUSED',
            'APPROVAL_NOT_FOUND',
            'APPROVAL_DECIDED',
            'LEDGER_UNAVAILABLE',
            'TOOLS_UNAVAILABLE',
          ]),
        },
      },
    },
    async (request, reply) => {
      const principal = principalOf(request);
      const id = executionIdOf(request, request.params.id);
      const { approvalId, decision, scope, reason, wait } = request.body ?? {};
      const record = await executions.get(asReader(principal), id);
      const asked = await askedFor(principal, record, approvalId, deps);
      if (decision !== undefined) await tools.decideApproval(principal, asked, { decision, scope, reason });
      const isDecided = decision !== undefined || (await tools.getApproval(principal, asked)).status !== 'pending';
      const signal = closing.answerSignal(reply);
      const answer =
        (wait ?? isDecided) ? await follow(principal, id, isDecided ? null : asked, signal, deps) : await executions.get(principal, id);
      return sendRaw(reply, serializeExecutionWithHistory(answer));
    },
  );
}

/** The approval that is meant: the one named, else the one that it waits for, else the last one that it waited for. */
async function askedFor(
  principal: Principal,
  record: ExecutionRecord,
  approvalId: string | undefined,
  { tools }: RouteDeps,
): Promise<string> {
  const { executionId, status } = record;
  if (approvalId !== undefined) {
    const approval = await tools.getApproval(principal, approvalIdOf(approvalId));
    if (approval.executionId === executionId) return approval.id;
    throw new AppError('APPROVAL_NOT_FOUND', `Approval ${approval.id} is not one of execution ${executionId}.`);
  }
  if (record.approval !== null) return record.approval.id;
  const [last] = (await tools.listApprovals(principal, { executionId, limit: 1 })).items;
  if (last !== undefined) return last.id;
  throw new AppError('EXECUTION_NOT_PAUSED', `Execution ${executionId} is ${status} and never waited for an approval.`);
}

/** Resolves when it has ended, or waits for something else than `undecided`. */
async function follow(
  principal: Principal,
  executionId: string,
  undecided: string | null,
  signal: AbortSignal,
  { executions, tools }: RouteDeps,
): Promise<ExecutionRecord> {
  try {
    for (;;) {
      const record = await executions.wait(principal, executionId, signal);
      if (ENDED_STATUSES.includes(record.status)) return record;
      const pending = await pendingApprovals(principal, executionId, tools);
      if (pending.length > 0 && pending.every(({ id }) => id !== undecided)) return await executions.get(principal, executionId);
      await sleep(LOOK_MS, undefined, { signal });
    }
  } catch (error) {
    if (!signal.aborted) throw error;
    if (!isAppError(signal.reason, 'SHUTTING_DOWN')) throw signal.reason;
    throw new AppError('SHUTTING_DOWN', `The service is stopping. Ask GET /executions/${executionId} in a few seconds.`, { cause: error });
  }
}
