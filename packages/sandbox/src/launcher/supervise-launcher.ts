import { AppError, type Logger, messageOf } from '@code-executor/platform';
import type { LauncherProcess } from './launcher-process.ts';

export interface LauncherSupervisor {
  /** The launcher, started at the first call. Throws AppError SANDBOX_UNAVAILABLE while one that went down rests. */
  running(): Promise<LauncherProcess>;
  close(): Promise<void>;
}

interface SupervisorOptions {
  readonly start: () => Promise<LauncherProcess>;
  /** A launcher that was running is gone, and the sandboxes it made are about to be. */
  readonly onLost: (reason: string) => void;
  readonly log: Pick<Logger, 'info' | 'warn'>;
}

/** Keeps one launcher running: one that goes down, or does not start, is started again after a growing pause. */
export function superviseLauncher({ start, onLost, log }: SupervisorOptions): LauncherSupervisor {
  let launcher: Promise<LauncherProcess> | null = null;
  let rest: { readonly reason: string; readonly timer: NodeJS.Timeout } | null = null;
  let backOffMs = BACK_OFF_FIRST_MS;
  let closed = false;

  const running = async (): Promise<LauncherProcess> => {
    if (closed) throw new AppError('SANDBOX_UNAVAILABLE', 'The sandbox launcher is closed');
    if (rest !== null) throw new AppError('SANDBOX_UNAVAILABLE', `The sandbox launcher is down and will be started again: ${rest.reason}`);
    launcher ??= begin();
    return launcher;
  };
  const begin = async (): Promise<LauncherProcess> => {
    try {
      const process = await start();
      const startedAt = performance.now();
      log.info({ pid: process.pid }, 'sandbox launcher is ready');
      void process.gone.then((reason) => {
        if (performance.now() - startedAt > BACK_OFF_LAST_MS) backOffMs = BACK_OFF_FIRST_MS;
        onLost(reason);
        pause(reason);
      });
      return process;
    } catch (error) {
      pause(messageOf(error));
      throw error;
    }
  };
  const pause = (reason: string): void => {
    launcher = null;
    if (closed) return;
    log.warn({ reason, startAgainInMs: backOffMs }, 'sandbox launcher is down');
    const again = (): void => {
      rest = null;
      running().catch(() => undefined); // `pause` has logged why and set the next attempt.
    };
    rest = { reason, timer: setTimeout(again, backOffMs).unref() };
    backOffMs = Math.min(backOffMs * 2, BACK_OFF_LAST_MS);
  };

  return {
    running,
    async close() {
      closed = true;
      clearTimeout(rest?.timer);
      const process = await launcher?.catch(() => null);
      process?.stop();
      await process?.gone;
    },
  };
}

const BACK_OFF_FIRST_MS = 250;
const BACK_OFF_LAST_MS = 10_000;
