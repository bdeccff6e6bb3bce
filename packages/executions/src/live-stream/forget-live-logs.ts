import { type Logger, messageOf } from '@code-executor/platform';
import type { Redis } from 'ioredis';
import { liveStreamKey } from './live-events.ts';
import type { LiveWriter } from './live-writer.ts';

const INTERVAL_MS = 60_000;
const SCAN_COUNT = 1_000;
const KEYS = liveStreamKey('*');
const ID = /^executor:live:(exe_\w+)$/;

interface ForgetDependencies {
  readonly redis: Redis;
  readonly live: Pick<LiveWriter, 'ended'>;
  /** Which of them have ended, or are not there. */
  readonly endedAmong: (executionIds: readonly string[]) => Promise<readonly string[]>;
}

/**
 * Live logs of what was ended by nobody who ran it: cancelled while it waited for a person, or removed with its workspace. A log that waits
 * for people is kept for days, and room in Redis is everybody's.
 */
export function startForgettingLiveLogs(deps: ForgetDependencies & { readonly log: Logger }): { stop(): Promise<void> } {
  let underWay: Promise<void> | null = null;
  const timer = setInterval(() => {
    underWay ??= forgetLiveLogs(deps)
      .catch((error: unknown) => deps.log.info({ reason: messageOf(error) }, 'Live logs of what has ended stay for another minute'))
      .finally(() => {
        underWay = null;
      });
  }, INTERVAL_MS);
  return {
    async stop() {
      clearInterval(timer);
      await underWay;
    },
  };
}

export async function forgetLiveLogs({ redis, live, endedAmong }: ForgetDependencies): Promise<void> {
  let cursor = '0';
  do {
    const [next, keys] = await redis.scan(cursor, 'MATCH', KEYS, 'COUNT', SCAN_COUNT);
    const ids = keys.flatMap((key) => ID.exec(key)?.[1] ?? []);
    const ended = ids.length === 0 ? [] : await endedAmong(ids);
    await Promise.all(ended.map((id) => live.ended(id)));
    cursor = next;
  } while (cursor !== '0');
}
