import { findMember, type JsonSpan, scanObject, skipSpace } from './scan-json.ts';

/**
 * Sets, or with null takes out, the member at `path` in the text of a JSON document that may have comments and trailing commas.
 * Everything else stays as it is, byte for byte. @throws Error naming the file where it is no such document.
 */
export function editJson(text: string, path: readonly string[], value: Record<string, unknown> | null, file: string): string {
  const source = text.trim() === '' ? '{}\n' : text;
  try {
    const edited = value === null ? remove(source, path) : set(source, path, value);
    return text.trim() === '' && value === null ? text : edited;
  } catch (cause) {
    throw new Error(`${file} cannot be changed: ${cause instanceof Error ? cause.message : String(cause)}. Nothing was written.`, {
      cause,
    });
  }
}

function set(text: string, path: readonly string[], value: unknown): string {
  const unit = indentOf(text);
  let at = skipSpace(text, 0);
  for (const [depth, name] of path.entries()) {
    const object = scanObject(text, at);
    const member = findMember(object, name);
    const rest = path.slice(depth + 1);
    if (member === undefined) return insert(text, object, name, nested(rest, value), unit, depth + 1);
    if (rest.length === 0 && isSame(text.slice(member.valueStart, member.valueEnd), value)) return text;
    if (rest.length === 0) return text.slice(0, member.valueStart) + print(value, unit, depth + 1) + text.slice(member.valueEnd);
    at = member.valueStart;
  }
  return text;
}

/** However it is laid out. */
function isSame(written: string, value: unknown): boolean {
  try {
    return JSON.stringify(JSON.parse(written)) === JSON.stringify(value);
  } catch {
    // With comments in it, say.
    return false;
  }
}

const nested = (path: readonly string[], value: unknown): unknown => path.reduceRight<unknown>((inner, name) => ({ [name]: inner }), value);

const print = (value: unknown, unit: string, depth: number): string =>
  JSON.stringify(value, null, unit).replaceAll('\n', `\n${unit.repeat(depth)}`);

/** Behind the last member, so that a comment before it stays with it. */
function insert(text: string, object: JsonSpan, name: string, value: unknown, unit: string, depth: number): string {
  const member = `${JSON.stringify(name)}: ${print(value, unit, depth)}`;
  const line = `\n${unit.repeat(depth)}`;
  const last = object.members.at(-1);
  if (last === undefined) {
    const inside = text.slice(object.start + 1, object.end - 1);
    const kept = inside.trim() === '' ? '' : inside.trimEnd();
    return `${text.slice(0, object.start + 1)}${kept}${line}${member}\n${unit.repeat(depth - 1)}${text.slice(object.end - 1)}`;
  }
  const end = lastOnLine(text, (last.commaAt ?? last.valueEnd - 1) + 1);
  // With a comma behind it where the document has one behind its last member.
  if (last.commaAt !== null) return `${text.slice(0, end)}${line}${member},${text.slice(end)}`;
  return `${text.slice(0, last.valueEnd)},${text.slice(last.valueEnd, end)}${line}${member}${text.slice(end)}`;
}

/** Behind a comment that stands on the line of a member: it is about that one. */
function lastOnLine(text: string, at: number): number {
  const [comment] = /^[ \t]*(?:\/\/[^\n]*|\/\*[^\n]*?\*\/(?=[ \t]*(?:\n|$)))/.exec(text.slice(at)) ?? [];
  return comment === undefined ? at : at + comment.trimEnd().length;
}

function remove(text: string, path: readonly string[]): string {
  let at = skipSpace(text, 0);
  for (const [depth, name] of path.entries()) {
    const object = scanObject(text, at);
    const index = object.members.findIndex((member) => member.name === name);
    const member = object.members[index];
    if (member === undefined) return text;
    if (depth < path.length - 1) {
      at = member.valueStart;
      continue;
    }
    const before = object.members[index - 1];
    // With its own comma, or as the last one with the comma before it.
    if (member.commaAt !== null) return text.slice(0, lineStart(text, member.nameStart)) + text.slice(lineEnd(text, member.commaAt + 1));
    const from = before === undefined ? lineStart(text, member.nameStart) : (before.commaAt ?? before.valueEnd);
    const gap = before === undefined ? '' : text.slice(from + 1, lineStart(text, member.nameStart)).trimEnd();
    const end = before === undefined ? lineEnd(text, member.valueEnd) : member.valueEnd;
    return text.slice(0, from) + gap + text.slice(end);
  }
  return text;
}

/** Where the member's line begins, if nothing else stands before it there. */
function lineStart(text: string, at: number): number {
  const start = text.lastIndexOf('\n', at - 1) + 1;
  return text.slice(start, at).trim() === '' ? start : at;
}

function lineEnd(text: string, at: number): number {
  const end = text.indexOf('\n', at);
  return end !== -1 && text.slice(at, end).trim() === '' ? end + 1 : at;
}

/** As the document does it; two spaces by default. */
function indentOf(text: string): string {
  return /\n([ \t]+)"/.exec(text)?.[1] ?? '  ';
}
