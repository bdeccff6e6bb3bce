import closeWithGrace from 'close-with-grace';
import { messageOf } from './errors.ts';
import type { Logger } from './logger.ts';

/** A thing that must be closed, and how long that may take before the next one is closed anyway. */
export interface Closable {
  readonly name: string;
  close(): Promise<unknown>;
}

/**
 * Closes everything, last opened first, on SIGTERM, SIGINT or an error nobody caught. One that fails or hangs does not
 * keep the others open; after `graceMs` the process ends regardless.
 */
export function closeOnSignal(closables: readonly Closable[], options: { readonly log: Logger; readonly graceMs: number }): void {
  closeWithGrace({ delay: options.graceMs, logger: false }, async ({ signal, err }) => {
    if (err) options.log.fatal({ err }, 'an error nobody caught: the service stops');
    else options.log.info({ signal }, 'stopping');
    await closeAll(closables, options.log);
    if (err) process.exitCode = 1;
  });
}

/** Notes a part as opened and hands it on; parts are closed in the opposite order. */
export type Open = <Part>(name: string, part: Part, close: (part: Part) => unknown) => Part;

/**
 * Opens the parts of a service, as `compose` does one after the other, and answers them in that order; the caller closes
 * them. When a part cannot be opened, those opened before are closed and the error is thrown.
 */
export async function openParts(log: Logger, compose: (open: Open) => Promise<void>): Promise<readonly Closable[]> {
  const opened: Closable[] = [];
  try {
    await compose((name, part, close) => {
      opened.push({ name, close: async () => close(part) });
      return part;
    });
    return opened;
  } catch (error) {
    await closeAll(opened, log);
    throw error;
  }
}

export async function closeAll(closables: readonly Closable[], log: Logger): Promise<void> {
  for (const closable of [...closables].reverse()) {
    try {
      await closable.close();
    } catch (error) {
      log.error({ err: error, part: closable.name }, `could not close ${closable.name}: ${messageOf(error)}`);
    }
  }
}
