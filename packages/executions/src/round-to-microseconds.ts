/** Milliseconds as they are told: three places behind the point. */
export const roundToMicroseconds = (ms: number): number => Math.round(ms * 1000) / 1000;
