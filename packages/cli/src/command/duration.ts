import { UsageError } from './command.ts';

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `500ms`, `30s`, `2m`, `1h`, `7d`; a bare number is milliseconds. */
export function durationMs(text: string, option: string): number {
  const [, amount, unit] = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h|d)?$/.exec(text) ?? [];
  const factor = UNITS[unit ?? 'ms'];
  if (amount === undefined || factor === undefined)
    throw new UsageError(`${option} ${JSON.stringify(text)} is no time; such as 500ms, 30s or 2m.`);
  return Math.round(Number(amount) * factor);
}
