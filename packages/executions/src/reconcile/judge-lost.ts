import type { Effects } from '@code-executor/contracts';
import type { Logger } from '@code-executor/platform';
import { endWithoutProgram } from '../execution.ts';
import type { EffectsOf } from '../run/dependencies.ts';
import type { ExpiredExecution } from '../store/end-expired.ts';
import type { EndedExecution } from '../store/finish-statement.ts';

const MESSAGE = 'The worker that ran this execution was not heard of any more; effects says whether it may be run again.';

/** The end of an execution whose worker is lost. Nothing is left of it but what it did through tools. */
export async function judgeLost(
  { id, token, createdAt, startedAt, now }: ExpiredExecution,
  effectsOf: EffectsOf,
  log: Logger,
): Promise<EndedExecution> {
  let effects: Effects = 'unknown';
  try {
    effects = await effectsOf(id);
  } catch (error) {
    log.error({ err: error, executionId: id }, 'The journal of tool calls could not be read; the effects of an execution stay unknown');
  }
  return {
    id,
    token,
    endedAt: now,
    queueMs: startedAt.getTime() - createdAt.getTime(),
    totalMs: now.getTime() - createdAt.getTime(),
    outputTokens: 0,
    outcome: endWithoutProgram('failed', { code: 'WORKER_LOST', message: MESSAGE }, effects),
    eventsJson: null,
  };
}
