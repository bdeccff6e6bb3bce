import { type Execution, idPattern, type Principal } from '@code-executor/contracts';
import { AppError } from '@code-executor/platform';
import { type ElicitRequestFormParams, inputRequired, type JSONRPCMessage } from '@modelcontextprotocol/server';
import { z } from 'zod';
import type { RouteDeps } from '../../gateway-app.ts';
import type { ToolCallContext } from './call-context.ts';

/** Questions with this id ask for a decision; whoever answers one says which approval by it, at any replica. */
const QUESTION = 'inband-';
const ARGUMENTS_LIMIT = 2_000;

const answerSchema = z.looseObject({
  action: z.enum(['accept', 'decline', 'cancel']),
  content: z.looseObject({ decision: z.enum(['approve', 'deny']) }).optional(),
});

/** Whether the operator lets this key's own client put decisions to its human (EXECUTOR_MCP_INBAND_APPROVAL). */
export const mayDecideInband = ({ config }: RouteDeps, { caller, elicitation }: ToolCallContext): boolean =>
  config.inbandApproval.includes(caller.principal.id) && elicitation.includes('form');

export const inbandQuestionId = (approvalId: string): string => `${QUESTION}${approvalId}`;

/** The form that a client shows: the call as it would be made, and two choices. */
export function inbandForm({ tool, arguments: given }: NonNullable<Execution['approval']>): ElicitRequestFormParams {
  return {
    mode: 'form',
    message: `A program asks to call ${tool} with ${JSON.stringify(given).slice(0, ARGUMENTS_LIMIT)}`,
    requestedSchema: {
      type: 'object',
      properties: { decision: { type: 'string', title: 'Decision', enum: ['approve', 'deny'] } },
      required: ['decision'],
    },
  };
}

export const inbandInput = (approval: NonNullable<Execution['approval']>) => inputRequired.elicit(inbandForm(approval));

/** The approval that an answer of a client of the 2025 versions is about; null: it is about none. */
export function inbandApprovalOf(message: JSONRPCMessage): { readonly approvalId: string; readonly answer: unknown } | null {
  if ('method' in message || !('result' in message) || typeof message.id !== 'string' || !message.id.startsWith(QUESTION)) return null;
  const approvalId = message.id.slice(QUESTION.length);
  return idPattern('apr').test(approvalId) ? { approvalId, answer: message.result } : null;
}

/**
 * Takes what a client says its human said, of what its own key has asked for. Closing the form decides nothing. It counts as the key's own approval: where
 * another key has to approve, this one may not.
 */
export async function decideInband(deps: RouteDeps, principal: Principal, approvalId: string, answer: unknown): Promise<void> {
  if (!deps.config.inbandApproval.includes(principal.id)) {
    throw new AppError('FORBIDDEN', 'This key may not decide through its own client (EXECUTOR_MCP_INBAND_APPROVAL).');
  }
  const parsed = answerSchema.safeParse(answer);
  if (!parsed.success || parsed.data.action === 'cancel') return;
  const decision = parsed.data.action === 'accept' && parsed.data.content?.decision === 'approve' ? 'approve' : 'deny';
  // As an agent it sees its own approvals alone: what another key has asked for, this one's client has no word in.
  await deps.tools.getApproval({ ...principal, role: 'agent' }, approvalId);
  const reason = 'decided through the client that asked';
  const record = await deps.tools.decideApproval({ ...principal, role: 'admin' }, approvalId, { decision, scope: 'once', reason });
  await deps.audit.record({
    type: 'approval.decide_inband',
    principal,
    target: approvalId,
    executionId: record.executionId,
    details: { decision, tool: record.tool },
  });
}
