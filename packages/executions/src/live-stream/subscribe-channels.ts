import { closeRedis, type Logger, messageOf, openRedis } from '@code-executor/platform';

/** A connection that hears nothing is asked this often whether it is alive. */
const PING_MS = 1_000;

export interface Subscription {
  /** false: messages are being missed. */
  connected(): boolean;
  close(): void;
}

/** Subscribed for as long as it is not closed, through restarts of Redis. */
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
  let closed = false;

  redis.on('message', (channel: string, message: string) => channels[channel]?.(message));
  redis.on('close', () => {
    connected = false;
  });
  redis.on('ready', () => {
    // One by one: a channel that this user may not hear must not cost the others.
    Promise.all(Object.keys(channels).map(subscribe)).then(
      (subscribed) => {
        connected = subscribed.every(Boolean);
        if (subscribed.some(Boolean)) options.onSubscribed();
      },
      (error: unknown) => log.error({ err: error }, 'What follows a subscription failed'),
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
      closed = true;
      clearInterval(timer);
      closeRedis(redis);
    },
  };

  async function subscribe(channel: string): Promise<boolean> {
    try {
      await redis.subscribe(channel);
      return true;
    } catch (error) {
      if (!closed) log.warn({ connection: name, channel, reason: messageOf(error) }, 'Redis refuses a subscription');
      return false;
    }
  }
}
