import { setTimeout as sleep } from 'node:timers/promises';
import { EXECUTION_STATUSES } from '@code-executor/contracts';
import { isAppError } from '@code-executor/platform';
import { z } from 'zod';
import type { SessionLedger } from '../fleet-sessions/port.ts';
import type { ClaimedByWorker, ExecutionLedger } from '../ledger/port.ts';
import type { ExecutionRecord } from '../port.ts';
import type { EndedExecution } from '../store/finish-statement.ts';
import { createProxyClient, type ProxyClient, type ProxyClientOptions } from './proxy-client.ts';
import { readAnswer } from './read-answer.ts';
import { createRemoteArtifacts, type RemoteArtifacts } from './remote-artifacts.ts';
import { createRemoteSessionLedger } from './remote-session-ledger.ts';

export interface RemoteLedger extends ExecutionLedger {
  readonly sessions: SessionLedger;
  readonly artifacts: RemoteArtifacts;
  close(): Promise<void>;
}

/**
 * A claim whose answer was lost is asked for again: the ledger hands it once more to the worker that holds it already. All
 * tries together stay within the lease, after which the claim would be void anyway.
 */
const CLAIM_RETRY_DELAYS_MS = [50, 250];
const CLAIM_TIMEOUT_MS = 1_200;
/** Two tries, at least, within a lease of four seconds. */
const RENEW_TIMEOUT_MS = 1_500;
const PAUSE_TIMEOUT_MS = 5_000;
const PUBLISH_TIMEOUT_MS = 5_000;
/** A result of 10 MB has to be written. */
const FINISH_TIMEOUT_MS = 15_000;

/** The ledger behind mcp-proxy's internal routes. Whoever waits for an end or publishes events tries again by themselves. */
export function createRemoteLedger(options: ProxyClientOptions): RemoteLedger {
  const client = createProxyClient(options);
  return {
    claim: (executionId, worker) => claim(client, executionId, worker),
    async renew(report, held) {
      const answer = await client.ask({ ...post('/internal/executions/renew', { report, held }), timeoutMs: RENEW_TIMEOUT_MS });
      return readAnswer(renewalSchema, answer);
    },
    async setPaused({ executionId, token }, { workerId }, pause) {
      const path = `/internal/executions/${executionId}/pause`;
      return readAnswer(pausedSchema, await client.ask({ ...post(path, { token, workerId, pause }), timeoutMs: PAUSE_TIMEOUT_MS }));
    },
    async release({ executionId, token }, { workerId }) {
      await client.ask({ ...post(`/internal/executions/${executionId}/release`, { token, workerId }), timeoutMs: PAUSE_TIMEOUT_MS });
    },
    async publish({ executionId, token }, grant, events) {
      const path = `/internal/executions/${executionId}/events`;
      await client.ask({ ...post(path, { token, events }), bearer: grant, timeoutMs: PUBLISH_TIMEOUT_MS });
    },
    async finish(ended, grant, session) {
      const path = `/internal/executions/${ended.id}/finish`;
      const answer = await client.ask({ ...post(path, { ended: endedBody(ended), session }), bearer: grant, timeoutMs: FINISH_TIMEOUT_MS });
      const { written, record } = readAnswer(finishedSchema, answer);
      return { written, record: record as unknown as ExecutionRecord };
    },
    sessions: createRemoteSessionLedger(client),
    artifacts: createRemoteArtifacts(client),
    close: () => client.close(),
  };
}

async function claim(
  client: ProxyClient,
  executionId: string,
  { workerId, takesSessions = true, isAhead }: Parameters<ExecutionLedger['claim']>[1],
): Promise<ClaimedByWorker | null> {
  const body = { executionId, workerId, ...(takesSessions ? {} : { takesSessions }), ...(isAhead ? { isAhead } : {}) };
  const request = { ...post('/internal/executions/claim', body), timeoutMs: CLAIM_TIMEOUT_MS };
  for (const delayMs of CLAIM_RETRY_DELAYS_MS) {
    try {
      return readAnswer(claimSchema, await client.ask(request));
    } catch (error) {
      if (!isAppError(error, 'LEDGER_UNAVAILABLE')) throw error;
      await sleep(delayMs);
    }
  }
  return readAnswer(claimSchema, await client.ask(request));
}

const post = (path: string, body: unknown) => ({ method: 'POST', path, body }) as const;

/** Field by field: an outcome carries more than its type says, and the proxy refuses what it does not know. */
function endedBody({ id, token, endedAt, queueMs, totalMs, outputTokens, outcome, eventsJson }: EndedExecution): EndedExecution {
  const { status, error, resultJson, output, truncated, droppedBytes, outputBytes, executionTimeMs, effects, toolCalls, warm } = outcome;
  const sent = { status, error, resultJson, output, truncated, droppedBytes, outputBytes, executionTimeMs, effects, toolCalls, warm };
  return { id, token, endedAt, queueMs, totalMs, outputTokens, outcome: sent, eventsJson };
}

const claimSchema = z
  .object({
    execution: z.object({
      id: z.string(),
      workspaceId: z.string(),
      principalId: z.string(),
      requestId: z.string(),
      language: z.string(),
      code: z.string(),
      args: z.record(z.string(), z.unknown()),
      files: z.record(z.string(), z.string()),
      timeoutMs: z.number(),
      typecheck: z.boolean(),
      createdAt: z.coerce.date(),
      token: z.int(),
      traceparent: z.string().nullish(),
      replay: z.string().optional(),
      sessionId: z.string().optional(),
      session: z.object({ incarnation: z.string(), lost: z.string().nullable(), isRefused: z.boolean().optional() }).optional(),
    }),
    grant: z.string(),
    catalogVersion: z.string(),
  })
  .nullable();

const renewalSchema = z.object({
  lost: z.array(z.string()),
  cancelled: z.array(z.string()),
  decided: z.array(z.string()).default([]),
  catalogVersion: z.string(),
});

const pausedSchema = z.object({ grant: z.string() });

const finishedSchema = z.object({
  written: z.boolean(),
  record: z.looseObject({ executionId: z.string(), status: z.enum(EXECUTION_STATUSES) }),
});
