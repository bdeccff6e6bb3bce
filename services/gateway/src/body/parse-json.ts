import { isAscii, isUtf8 } from 'node:buffer';
import { AppError } from '@code-executor/platform/errors';
import { findSyntaxError } from './find-syntax-error.ts';
import { BODY_LIMITS, type JsonFinding, type JsonLimits, scanJson } from './scan-json.ts';

/**
 * The body of a request as a JSON value, or an AppError that says what is wrong and where: MALFORMED_JSON for bytes that are
 * no JSON, repeat a key or nest deeper than the limit (64), INVALID_REQUEST for keys that reach for prototypes and for half surrogate
 * pairs. A NUL in a string is let through; fields that cannot hold one refuse it themselves. An empty body is undefined.
 */
export function parseJsonBody(body: Buffer, limits: JsonLimits = BODY_LIMITS): unknown {
  if (body.length === 0) return undefined;
  if (!isUtf8(body)) {
    throw new AppError('MALFORMED_JSON', `The body is not valid UTF-8: byte ${invalidByteAt(body)} (counted from 0) starts no character.`);
  }
  const text = body.toString(isAscii(body) ? 'latin1' : 'utf8');
  const finding = scanJson(text, limits);
  // Judged before the parser runs: a bomb of brackets costs it more memory than the body.
  if (finding?.kind === 'depth' || finding?.kind === 'keys') throw errorOf(finding, text, limits);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw syntaxErrorOf(text, error);
  }
  if (finding) throw errorOf(finding, text, limits);
  return value;
}

function errorOf(finding: JsonFinding, text: string, limits: JsonLimits): AppError {
  const where = placeOf(text, finding.position);
  const at = finding.path === '' ? where : `${where}, at ${quoted(finding.path)}`;
  const details = { position: finding.position, path: finding.path };
  switch (finding.kind) {
    case 'depth':
      return new AppError('MALFORMED_JSON', `The body nests deeper than ${limits.depth} levels (${where}).`, { details });
    case 'keys':
      return new AppError('MALFORMED_JSON', `The body has more than ${limits.keys} keys (${where}).`, { details });
    case 'duplicate':
      return new AppError('MALFORMED_JSON', `The key ${quoted(finding.key)} is given twice (${at}); keep one of them.`, { details });
    case 'prototype':
      return new AppError('INVALID_REQUEST', `The key ${quoted(finding.key)} is not allowed in a request (${at}); rename it.`, { details });
    case 'surrogate':
      return new AppError('INVALID_REQUEST', `Half a surrogate pair is no character (${at}); send the whole pair or leave it out.`, {
        details,
      });
  }
}

function syntaxErrorOf(text: string, cause: unknown): AppError {
  if (text.charCodeAt(0) === 0xfeff) {
    return new AppError('MALFORMED_JSON', 'The body starts with a byte order mark; send the JSON without it.');
  }
  if (text.trim() === '') return new AppError('MALFORMED_JSON', 'The body holds nothing but white space; send a JSON object.');
  const position = findSyntaxError(text);
  const what = position >= text.length ? 'it ends too early' : `unexpected ${characterAt(text, position)} at ${placeOf(text, position)}`;
  return new AppError('MALFORMED_JSON', `The body is no JSON: ${what}.`, { cause, details: { position } });
}

function characterAt(text: string, position: number): string {
  const point = text.codePointAt(position) ?? 0;
  return point < 32 || point === 127 ? `control character ${point}` : quoted(String.fromCodePoint(point));
}

/** `line 2, column 5`, both from 1. */
function placeOf(text: string, position: number): string {
  let line = 1;
  let lineStart = 0;
  for (let at = text.indexOf('\n'); at >= 0 && at < position; at = text.indexOf('\n', at + 1)) {
    line += 1;
    lineStart = at + 1;
  }
  return `line ${line}, column ${position - lineStart + 1}`;
}

const quoted = (text: string): string => JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text);

/** Bisects for the longest valid prefix; a cut inside a character moves the end by at most three bytes. */
function invalidByteAt(body: Buffer): number {
  let valid = 0;
  let invalid = body.length;
  while (invalid - valid > 8) {
    const middle = (valid + invalid) >> 1;
    const cut = startOfCharacter(body, middle);
    if (cut > valid && isUtf8(body.subarray(valid, cut))) valid = cut;
    else if (cut <= valid) break;
    else invalid = cut;
  }
  for (let end = valid; end < body.length; ) {
    const next = [1, 2, 3, 4].find((length) => end + length <= body.length && isUtf8(body.subarray(end, end + length)));
    if (next === undefined) return end;
    end += next;
  }
  return body.length;
}

function startOfCharacter(body: Buffer, at: number): number {
  let start = at;
  for (let back = 0; back < 3 && ((body[start] ?? 0) & 0xc0) === 0x80; back += 1) start -= 1;
  return start;
}
