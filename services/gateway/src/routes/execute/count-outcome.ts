import { ENDED_STATUSES, type Principal } from '@code-executor/contracts';
import type { ExecutionRecord } from '@code-executor/executions';
import { messageOf } from '@code-executor/platform';
import type { FastifyBaseLogger } from 'fastify';
import type { RouteDeps } from '../../gateway-app.ts';
import type { GatewayMetrics } from '../../plugins/metrics.ts';

/** Twice the longest execution: what is not over by then is paused, and not counted. */
const OUTCOME_WAIT_MS = 600_000;

/** Counts how an execution ended, once it has. */
export function countOutcome(record: ExecutionRecord, metrics: GatewayMetrics): void {
  if (ENDED_STATUSES.includes(record.status)) metrics.countOutcome(record.language, record.status, record.error?.code ?? '');
}

/** Follows an execution nobody waits for, only to count it. */
export function observeOutcome(principal: Principal, executionId: string, deps: RouteDeps, log: FastifyBaseLogger): void {
  deps.executions.wait(principal, executionId, AbortSignal.timeout(OUTCOME_WAIT_MS)).then(
    (record) => countOutcome(record, deps.metrics),
    (error: unknown) => log.debug({ executionId, reason: messageOf(error) }, 'the outcome was not observed'),
  );
}
