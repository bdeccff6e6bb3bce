/** A worker that was not heard of for so long has lost what it ran. It renews every second. */
export const LEASE_MS = 4_000;
