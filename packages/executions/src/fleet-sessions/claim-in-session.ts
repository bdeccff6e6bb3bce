import { type Logger, messageOf } from '@code-executor/platform';
import type { Redis } from 'ioredis';
import { CHANNELS } from '../live-stream/fleet-channels.ts';
import type { SessionOfClaim } from './port.ts';
import { writeSessionMessage } from './session-messages.ts';
import type { WorkerSessionStore } from './worker-sessions.ts';

export interface ClaimInSessionDependencies {
  readonly sessions: WorkerSessionStore;
  /** Ids of workers that take executions. */
  readonly liveWorkers: () => readonly string[];
  readonly redis: Redis;
  readonly log: Logger;
}

/**
 * Whether this worker may have an execution that runs in a session. null: it may not; the one that may was told, where there is
 * one, and otherwise the queue hands the id out again.
 */
export async function claimInSession(
  executionId: string,
  { workerId, takesSessions = true }: { readonly workerId: string; readonly takesSessions?: boolean | undefined },
  { sessions, liveWorkers, redis, log }: ClaimInSessionDependencies,
): Promise<SessionOfClaim | null> {
  const claim = await sessions.claim(executionId, workerId, takesSessions);
  if ('session' in claim) return claim.session;
  const next = claim.elsewhere ?? (await sessions.leastOccupied(liveWorkers())).find((id) => id !== workerId);
  if (next !== undefined)
    redis
      .publish(CHANNELS.sessions, writeSessionMessage({ kind: 'run', workerId: next, executionId }))
      .catch((error: unknown) => log.info({ executionId, reason: messageOf(error) }, 'A worker was not told of an execution; it looks'));
  return null;
}
