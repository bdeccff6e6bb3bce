export interface Hearing {
  /** A look at the database and at Redis begins. Answers whether it was heard without a gap for long enough to judge others. */
  begin(): boolean;
  /** The look that began last has taken so little time that what it saw can be believed. */
  isFresh(): boolean;
  heard(): void;
  /** Nothing was heard: the time of hearing begins anew. */
  missed(): void;
}

/** Half a lease. Longer between two looks, or in one, and this process, the database or Redis stood still: others may have too. */
const GAP_MS = 2_000;

/**
 * Whether this process may judge that others are silent. Who was stopped, or cut off from the database or from Redis, could not
 * have heard them, and neither could they have made themselves heard: only after a whole lease of hearing does silence mean something.
 * @param now milliseconds of a clock that never goes back.
 */
export function createHearing(leaseMs: number, now: () => number): Hearing {
  let since: number | null = null;
  let last = 0;
  let began = 0;
  return {
    begin() {
      began = now();
      if (since !== null && began - last > GAP_MS) since = null;
      return since !== null && began - since >= leaseMs;
    },
    isFresh: () => now() - began <= GAP_MS,
    heard() {
      last = now();
      if (last - began > GAP_MS) since = null;
      since ??= last;
    },
    missed() {
      since = null;
    },
  };
}
