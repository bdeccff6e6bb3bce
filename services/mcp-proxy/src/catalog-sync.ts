import { randomUUID } from 'node:crypto';
import { closeRedis, type Logger, messageOf, openRedis } from '@code-executor/platform';
import type { ToolDomain } from '@code-executor/tools';
import type { Redis } from 'ioredis';

/** The name of the proxy that has changed policies, integrations or tools. The rows say what. */
const CHANNEL = 'executor:catalog';
/** A message may be lost with a connection; this is how long a change can stay unseen then. */
const LOOK_EVERY_MS = 10_000;
const RETRY_MS = 500;
/** A burst of changes here is one message. */
const TELL_AFTER_MS = 5;
const PING_MS = 1_000;

export interface CatalogSync {
  /** Something of ours has committed: the other proxies are to look. Returns at once. */
  tell(): void;
  /** From now on what others have changed is taken over. */
  start(tools: Pick<ToolDomain, 'reload'>): void;
  close(): Promise<void>;
}

/** Keeps the policies, integrations and tools of several proxies on one database the same. */
export function followCatalog(options: {
  readonly redisUrl: string;
  /** For PUBLISH. */
  readonly publisher: Redis;
  readonly log: Logger;
}): CatalogSync {
  const { publisher, log } = options;
  const self = randomUUID();
  const subscriber = openRedis({ url: options.redisUrl, name: 'mcp-proxy-catalog', log, use: 'subscriber' });
  let tools: Pick<ToolDomain, 'reload'> | null = null;
  let telling: NodeJS.Timeout | null = null;
  let isWanted = false;
  let looking: Promise<void> | null = null;
  let isClosed = false;

  subscriber.on('message', (_channel, from: string) => {
    if (from !== self) look();
  });
  subscriber.on('ready', () => {
    // What was said while nobody listened is in the rows.
    subscriber.subscribe(CHANNEL).then(look, (error: unknown) => {
      // A connection that broke in between is reported where it is kept, and subscribes again.
      if (subscriber.status !== 'ready') return;
      const reason = messageOf(error);
      log.error({ reason, everyMs: LOOK_EVERY_MS }, 'Redis refuses the channel of catalog changes: they are looked for instead');
    });
  });
  const timers = [
    setInterval(look, LOOK_EVERY_MS),
    // A connection that hears nothing is asked whether it is alive.
    setInterval(() => {
      if (subscriber.status === 'ready')
        subscriber.ping().catch((error: unknown) => log.debug({ err: error }, 'A subscribed connection does not answer'));
    }, PING_MS),
  ];
  for (const timer of timers) timer.unref();

  return {
    tell() {
      telling ??= setTimeout(() => {
        telling = null;
        publisher
          .publish(CHANNEL, self)
          .catch((error: unknown) =>
            log.warn({ reason: messageOf(error) }, 'A change of the catalog could not be announced; others find it within seconds'),
          );
      }, TELL_AFTER_MS);
    },
    start(domain) {
      tools = domain;
      look();
    },
    async close() {
      isClosed = true;
      for (const timer of timers) clearInterval(timer);
      if (telling !== null) clearTimeout(telling);
      closeRedis(subscriber);
      await looking;
    },
  };

  /** One look at a time; what is said during one is answered by one more. */
  function look(): void {
    if (tools === null || isClosed) return;
    isWanted = true;
    looking ??= run(tools).finally(() => {
      looking = null;
    });
  }

  async function run(domain: Pick<ToolDomain, 'reload'>): Promise<void> {
    while (isWanted && !isClosed) {
      isWanted = false;
      try {
        await domain.reload();
      } catch (error) {
        log.warn({ reason: messageOf(error) }, 'What other proxies have changed could not be read; trying again');
        setTimeout(look, RETRY_MS).unref();
        return;
      }
    }
  }
}
