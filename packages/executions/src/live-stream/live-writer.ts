import type { ExecutionEvent } from '@code-executor/contracts';
import { AppError } from '@code-executor/platform';
import type { Redis, Result } from 'ioredis';
import { CHANNELS } from './fleet-channels.ts';
import { isLiveEvent, type LiveEvent, liveStreamKey } from './live-events.ts';

/**
 * As the event log keeps output: from the start and from the end, so that a program that prints without end fills nothing. In bytes
 * as they are written: a control character takes six.
 */
const HEAD_BYTES = 64 * 1024;
const TAIL_BYTES = 64 * 1024;
/** What an event costs beside what it says. */
const EVENT_BYTES = 64;
/** A program that says nothing for longer than any may run has ended, */
const LIFETIME_SECONDS = 600;
/** or it waits for a person, who may take days. */
const PAUSED_LIFETIME_SECONDS = 8 * 24 * 60 * 60;
/** Its row has all of it by then, and every gateway has heard of that. */
const ENDED_LIFETIME_SECONDS = 5;

export interface LiveWriter {
  /** Events in order; those that are there already are kept once. Throws INVALID_REQUEST for what no run may say. */
  publish(executionId: string, events: readonly ExecutionEvent[]): Promise<void>;
  /** Its end is written, with its events: what is here goes, or a busy hour's logs would fill Redis, which the queue is in as well. */
  ended(executionId: string): Promise<void>;
}

/**
 * Live events of an execution as a Redis stream whose entry ids are the events' own (`7-0` is event 7): what is sent twice is
 * refused by the stream, and a follower goes on from its Last-Event-ID wherever it connects.
 */
export function createLiveWriter(redis: Redis): LiveWriter {
  redis.defineCommand('appendLiveEvents', { numberOfKeys: 2, lua: APPEND });
  const append = (redis as WithAppend).appendLiveEvents.bind(redis);
  return {
    async publish(executionId, events) {
      if (events.length === 0) return;
      const parameters = events.filter(isLive).flatMap((event) => [event.id, bytesOf(event), JSON.stringify(event)]);
      const key = liveStreamKey(executionId);
      const statuses = events.filter((event) => event.type === 'status');
      const lifetime = statuses.at(-1)?.data.status === 'paused' ? PAUSED_LIFETIME_SECONDS : LIFETIME_SECONDS;
      await append(key, `${key}:tail`, HEAD_BYTES, TAIL_BYTES, lifetime, ...parameters);
      await redis.publish(CHANNELS.live, executionId);
    },
    async ended(executionId) {
      const key = liveStreamKey(executionId);
      // Never later than it would go by itself: who says it again and again must not keep it.
      await Promise.all([redis.expire(key, ENDED_LIFETIME_SECONDS, 'LT'), redis.expire(`${key}:tail`, ENDED_LIFETIME_SECONDS, 'LT')]);
    },
  };
}

function isLive(event: ExecutionEvent): event is LiveEvent {
  if (isLiveEvent(event)) return true;
  throw new AppError('INVALID_REQUEST', `Event ${event.id} is none that a run may publish.`);
}

const bytesOf = ({ type, data }: LiveEvent): number =>
  EVENT_BYTES + Buffer.byteLength(JSON.stringify(type === 'output' ? data.text : data));

interface WithAppend extends Redis {
  appendLiveEvents(...parameters: (string | number)[]): Result<number, { readonly type: 'default' }>;
}

/**
 * Each entry carries the bytes that were written up to it (`t`). The head stays; behind it, the oldest go while the tail
 * is too long. KEYS[2] holds the bytes at the last entry that went, or at the end of the head.
 */
const APPEND = `
local key, tail = KEYS[1], KEYS[2]
local head, room, lifetime = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
local last = redis.call('XREVRANGE', key, '+', '-', 'COUNT', 1)[1]
local total, top = 0, 0
if last then
  total, top = tonumber(last[2][2]), tonumber(string.match(last[1], '^%d+'))
end
local added = 0
for i = 4, #ARGV, 3 do
  local id = tonumber(ARGV[i])
  if id > top then
    total = total + tonumber(ARGV[i + 1])
    redis.call('XADD', key, ARGV[i] .. '-0', 't', total, 'e', ARGV[i + 2])
    top = id
    added = added + 1
  end
end
local marker = redis.call('GET', tail)
if total > head + room then
  local from, units = '-', head
  if marker then
    local id, counted = string.match(marker, '^(%S+) (%d+)$')
    from, units = '(' .. id, tonumber(counted)
  end
  while total - units > room do
    local entry = redis.call('XRANGE', key, from, '+', 'COUNT', 1)[1]
    if not entry then break end
    local at = tonumber(entry[2][2])
    if at > head then
      redis.call('XDEL', key, entry[1])
      units = at
    end
    from = '(' .. entry[1]
    marker = entry[1] .. ' ' .. units
  end
  redis.call('SET', tail, marker, 'EX', lifetime)
end
redis.call('EXPIRE', key, lifetime)
return added
`;
