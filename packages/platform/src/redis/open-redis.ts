import { Redis } from 'ioredis';
import { messageOf } from '../errors.ts';
import type { Logger } from '../logger.ts';

/** Longer than this and whoever asked is told that Redis is away. */
const COMMAND_TIMEOUT_MS = 1_000;
/** A connection that owes an answer and is silent for so long is dead, whatever TCP believes; longer than any blocking command. */
const SOCKET_TIMEOUT_MS = 5_000;
const RECONNECT_MAXIMUM_MS = 250;

/**
 * `commands`: fails at once while Redis is away, and never resends: nothing is queued out of sight. `subscriber` and
 * `blocking` (BullMQ's worker) wait for it to come back.
 */
export type RedisUse = 'commands' | 'subscriber' | 'blocking';

/** One connection, which reconnects for as long as it is not closed. `name` is what `CLIENT LIST` shows. */
export function openRedis(options: {
  readonly url: string;
  readonly name: string;
  readonly log: Logger;
  readonly use?: RedisUse | undefined;
}): Redis {
  const { url, name, log, use = 'commands' } = options;
  const redis = new Redis(url, {
    connectionName: `code-executor-${name}`,
    connectTimeout: 2_000,
    socketTimeout: SOCKET_TIMEOUT_MS,
    // Asks for INFO, which is a dangerous command; what a loading Redis answers is an error like any other.
    enableReadyCheck: false,
    // Whoever subscribes does it with every connection; what ioredis does by itself rejects unheard when that one breaks too.
    autoResubscribe: false,
    retryStrategy: (times) => Math.min(20 * times, RECONNECT_MAXIMUM_MS),
    ...(use === 'commands'
      ? { enableOfflineQueue: false, maxRetriesPerRequest: 0, autoResendUnfulfilledCommands: false, commandTimeout: COMMAND_TIMEOUT_MS }
      : { maxRetriesPerRequest: null }),
  });
  let down = false;
  redis.on('error', (error: unknown) => {
    if (!down) log.warn({ connection: name, reason: messageOf(error) }, 'Redis does not answer');
    down = true;
  });
  redis.on('ready', () => {
    if (down) log.info({ connection: name }, 'Redis answers again');
    down = false;
  });
  return redis;
}

/** Ends the connection without waiting for a Redis that may be away. */
export function closeRedis(redis: Redis): void {
  redis.disconnect();
}
