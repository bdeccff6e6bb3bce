import { messageOf } from '../errors.ts';

/** SQLSTATE of what passes by itself: connection, no more connections, shutting down or starting up, read-only after a failover. */
const STATES = /^(08\w{3}|53[0-3]00|57P0[1-5]|25006)$/;
const SYSTEM_CODES: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
]);
/** What pg says in words alone. */
const WORDS =
  /connection terminated|query read timeout|timeout exceeded when trying to connect|not queryable|client has encountered a connection error/i;

/** Whether a query failed because PostgreSQL cannot be asked at the moment, and not because of what was asked. */
export function isDatabaseAway(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (error instanceof AggregateError && error.errors.some(isDatabaseAway)) return true;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  return STATES.test(code) || SYSTEM_CODES.has(code) || WORDS.test(messageOf(error));
}
