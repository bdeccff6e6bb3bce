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

/** ISO 8601, or a span from now: `ahead` or `back`. */
export function timeOption(value: unknown, option: string, direction: 'ahead' | 'back'): string | undefined {
  if (typeof value !== 'string') return undefined;
  if (/^\d+(\.\d+)?(ms|s|m|h|d)$/.test(value)) {
    const span = durationMs(value, option);
    return new Date(Date.now() + (direction === 'ahead' ? span : -span)).toISOString();
  }
  const at = Date.parse(value);
  if (Number.isNaN(at)) throw new UsageError(`${option} ${JSON.stringify(value)} is no time; such as 2h, 7d or 2026-01-31T12:00:00Z.`);
  return new Date(at).toISOString();
}
