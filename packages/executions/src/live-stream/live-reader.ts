import type { Redis } from 'ioredis';
import { type LiveEvent, liveStreamKey, parseLiveEvent } from './live-events.ts';

const READ_MAXIMUM = 200;

export interface LiveReader {
  /** At most a page of the events above `afterId`, in order. Gaps are output that was dropped. */
  read(executionId: string, afterId: number): Promise<LiveEvent[]>;
  /** Ids of the first event from `eventId` on and of the newest; 0: none. */
  around(executionId: string, eventId: number): Promise<{ readonly first: number; readonly newest: number }>;
}

/** The other end of `createLiveWriter`. Throws what ioredis throws while Redis is away. */
export function createLiveReader(redis: Redis): LiveReader {
  return {
    async read(executionId, afterId) {
      const entries = await redis.xrange(liveStreamKey(executionId), `(${afterId}-0`, '+', 'COUNT', READ_MAXIMUM);
      const events: LiveEvent[] = [];
      for (const [, fields] of entries) {
        const event = parseLiveEvent(fields[fields.indexOf('e') + 1] ?? '');
        // Entry and event have the same id; what does not fit was not written by us.
        if (event !== null && event.id > (events.at(-1)?.id ?? afterId)) events.push(event);
      }
      return events;
    },
    async around(executionId, eventId) {
      const key = liveStreamKey(executionId);
      const [[first], [newest]] = await Promise.all([
        redis.xrange(key, `${eventId}-0`, '+', 'COUNT', 1),
        redis.xrevrange(key, '+', '-', 'COUNT', 1),
      ]);
      return { first: idOf(first), newest: idOf(newest) };
    },
  };
}

const idOf = (entry: readonly [string, string[]] | undefined): number => (entry === undefined ? 0 : Number.parseInt(entry[0], 10));
