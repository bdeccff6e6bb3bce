/** Figures of one series of durations, in milliseconds. */
export interface Series {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

export function summarise(durationsMs: readonly number[]): Series {
  const sorted = ascending(durationsMs);
  return { count: sorted.length, p50: at(sorted, 0.5), p99: at(sorted, 0.99), max: sorted.at(-1) ?? Number.NaN };
}

export const percentile = (durationsMs: readonly number[], share: number): number => at(ascending(durationsMs), share);

/** Minimum, p25, p50 and p75: what is left of a series on a machine that does much else. */
export function quartiles(durationsMs: readonly number[]): number[] {
  const sorted = ascending(durationsMs);
  return [0, 0.25, 0.5, 0.75].map((share) => at(sorted, share));
}

export const round = (value: number, digits = 2): number => Number(value.toFixed(digits));

const ascending = (values: readonly number[]): number[] => [...values].sort((a, b) => a - b);
const at = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
