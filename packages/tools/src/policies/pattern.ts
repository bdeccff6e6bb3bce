import { AppError } from '@code-executor/platform';

const LONGEST_PATTERN = 512;
const MOST_SEGMENTS = 16;

/** A parsed pattern: segments between dots. A `*` at the end stands for everything that follows, elsewhere for one segment. */
export interface PolicyPattern {
  readonly text: string;
  /** Without the connection. */
  readonly segments: readonly string[];
  /** Of `server@connection.tool`; null: whatever the connection. */
  readonly connection: string | null;
}

/** @throws AppError INVALID_REQUEST saying what is wrong. */
export function parsePattern(text: string): PolicyPattern {
  const refuse = (why: string): never => {
    throw new AppError('INVALID_REQUEST', `pattern ${JSON.stringify(text.slice(0, 100))} ${why}`);
  };
  if (text === '') refuse('is empty; write * for every tool');
  if (text.length > LONGEST_PATTERN) refuse(`is longer than ${LONGEST_PATTERN} characters`);
  if (!text.isWellFormed() || /\p{Cc}/u.test(text) || text.trim() !== text) refuse('has control characters, or spaces around it');
  const [first = '', ...rest] = text.split('.');
  const at = first.indexOf('@');
  const connection = at < 0 ? null : first.slice(at + 1);
  const segments = [at < 0 ? first : first.slice(0, at), ...rest];
  if (segments.length > MOST_SEGMENTS) refuse(`has more than ${MOST_SEGMENTS} segments`);
  if (connection !== null && (connection === '' || connection.includes('*')))
    refuse('names no connection after the @; write server@connection.tool');
  for (const segment of segments) {
    if (segment === '') refuse('has an empty segment; write server.tool, server.* or *');
    if (segment !== '*' && segment.includes('*')) refuse('has a * inside a segment; a * stands for a whole segment');
  }
  if (segments.length === 1 && text !== '*') refuse(`names no tool; write ${text}.* for every tool of a server`);
  return { text, segments, connection };
}

/** Whether the pattern covers `server.tool`, whatever the connection. A tool's own name may hold dots. */
export function matchesPattern({ segments }: PolicyPattern, address: string): boolean {
  const parts = address.split('.');
  const last = segments.length - 1;
  const isOpen = segments[last] === '*';
  if (isOpen ? parts.length < segments.length : parts.length !== segments.length) return false;
  return segments.every((segment, index) => segment === '*' || segment === parts[index]);
}

/**
 * Orders patterns that cover the same address, the most specific first: where they first differ, a name comes before a `*` for
 * one segment, that before an open end; one that names a connection before the same one without.
 */
export function compareSpecificity(a: PolicyPattern, b: PolicyPattern): number {
  for (let index = 0; index < Math.max(a.segments.length, b.segments.length); index += 1) {
    const difference = rank(a, index) - rank(b, index);
    if (difference !== 0) return difference;
  }
  return Number(a.connection === null) - Number(b.connection === null);
}

function rank({ segments }: PolicyPattern, index: number): number {
  if (index >= segments.length) return 3;
  if (segments[index] !== '*') return 0;
  return index === segments.length - 1 ? 2 : 1;
}
