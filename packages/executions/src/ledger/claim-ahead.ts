import { setTimeout as sleep } from 'node:timers/promises';

/** The row of an execution that a worker was told of ahead of its commit is waited for so long. */
export const AHEAD_MS = 500;
/** The commit comes within a millisecond or two of the first try, where nothing holds it up. */
const DELAYS_MS = [0, 0, 1, 1, 2, 4, 8, 16];
const LAST_DELAY_MS = 32;
/** After so many tries it is asked why: a row that is there may be somebody else's, or wait for its turn. */
const TRIES_UNASKED = 4;

/** Tries again for as long as there is no row: its commit is under way, or has failed. */
export async function claimAhead<Claimed>(
  claim: (isRepeatable: boolean) => Promise<Claimed | null>,
  exists: () => Promise<boolean>,
): Promise<Claimed | null> {
  const untilMs = performance.now() + AHEAD_MS;
  for (let tries = 0; ; tries += 1) {
    const claimed = await claim(false);
    if (claimed !== null || performance.now() >= untilMs) return claimed;
    const delayMs = DELAYS_MS[tries] ?? LAST_DELAY_MS;
    // It may have been committed since.
    if (tries >= TRIES_UNASKED && (await exists())) return await claim(true);
    if (delayMs > 0) await sleep(delayMs);
  }
}
