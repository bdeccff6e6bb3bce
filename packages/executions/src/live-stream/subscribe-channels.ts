import { closeRedis, type Logger, messageOf, openRedis } from '@code-executor/platform';

/** A connection that hears nothing is asked this often whether it is alive. */
const PING_MS = 1_000;

export interface Subscription {
  /** false: messages are being missed. */
  connected(): boolean;
  close(): void;
}

/** Subscribes for as long as it is not closed, through restarts of Redis. */
export function subscribeChannels(options: {
  /** Of Redis. */
  readonly redis: string;
  readonly name: string;
  readonly log: Logger;
  readonly channels: Readonly<Record<string, (message: string) => void>>;
  /** Subscribed, for the first time or again: what was said before may have been missed. */
  readonly onSubscribed: () => void;
}): Subscription {
  const { name, log, channels } = options;
  const redis = openRedis({ url: options.redis, name, log, use: 'subscriber' });
  let connected = false;

  redis.on('message', (channel: string, message: string) => channels[channel]?.(message));
  redis.on('close', () => {
    connected = false;
  });
  redis.on('ready', () => {
    redis.subscribe(...Object.keys(channels)).then(
      () => {
        connected = true;
        options.onSubscribed();
      },
      (error: unknown) => log.warn({ connection: name, reason: messageOf(error) }, 'Redis refuses a subscription'),
    );
  });
  const timer = setInterval(() => {
    if (redis.status === 'ready')
      redis.ping().catch((error: unknown) => log.debug({ err: error }, 'A subscribed connection does not answer'));
  }, PING_MS);
  timer.unref();

  return {
    connected: () => connected,
    close() {
      clearInterval(timer);
      closeRedis(redis);
    },
  };
}
