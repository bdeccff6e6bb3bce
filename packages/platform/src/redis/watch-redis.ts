import type { Redis } from 'ioredis';
import { messageOf } from '../errors.ts';
import type { Logger } from '../logger.ts';

const PROBE_INTERVAL_MS = 500;
const PROBE_LIFETIME_SECONDS = 60;

export interface RedisWatch {
  /** null: Redis takes writes; otherwise why it does not. */
  reason(): string | null;
  /** A write failed just now: unhealthy until a probe succeeds. */
  report(error: unknown): void;
  stop(): void;
}

/**
 * Knows within a second whether Redis answers and takes writes: a Redis at its memory limit, a read-only replica or one
 * whose disk is full answers PING and refuses all that matters. The probe is a write of `executor:probe:<name>`.
 */
export function watchRedis(
  redis: Redis,
  options: { readonly name: string; readonly log: Logger; readonly intervalMs?: number },
): RedisWatch {
  const { name, log, intervalMs = PROBE_INTERVAL_MS } = options;
  let reason: string | null = 'no answer yet';
  let stopped = false;
  let timer: NodeJS.Timeout | null = null;
  let probing = false;

  const onClose = (): void => become('the connection is closed');
  const onReady = (): void => void probe();
  redis.on('close', onClose);
  redis.on('ready', onReady);
  void probe();

  return {
    reason: () => reason,
    report: (error) => become(messageOf(error)),
    stop() {
      stopped = true;
      if (timer !== null) clearTimeout(timer);
      redis.off('close', onClose);
      redis.off('ready', onReady);
    },
  };

  async function probe(): Promise<void> {
    if (probing || stopped) return;
    probing = true;
    if (timer !== null) clearTimeout(timer);
    try {
      if (redis.status === 'ready') {
        await redis.set(`executor:probe:${name}`, '1', 'EX', PROBE_LIFETIME_SECONDS);
        become(null);
      }
    } catch (error) {
      become(messageOf(error));
    } finally {
      probing = false;
      if (!stopped) timer = setTimeout(probe, intervalMs);
    }
  }

  function become(now: string | null): void {
    if (stopped) return;
    if (now !== null && reason === null) log.warn({ connection: name, reason: now }, 'Redis takes no writes');
    if (now === null && reason !== null) log.info({ connection: name }, 'Redis takes writes');
    reason = now;
  }
}
