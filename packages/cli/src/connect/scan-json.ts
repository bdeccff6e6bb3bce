export interface JsonMember {
  readonly name: string;
  readonly nameStart: number;
  readonly valueStart: number;
  readonly valueEnd: number;
  /** Of the comma behind it. */
  readonly commaAt: number | null;
}

/** An object in the text of a JSON document: from its `{` to behind its `}`. */
export interface JsonSpan {
  readonly start: number;
  readonly end: number;
  readonly members: readonly JsonMember[];
}

/** The last of that name counts, as it does for JSON.parse. */
export const findMember = (object: JsonSpan, name: string): JsonMember | undefined =>
  object.members.findLast((member) => member.name === name);

/** Reads one object with comments and trailing commas. @throws Error saying where it is none. */
export function scanObject(text: string, at: number): JsonSpan {
  if (text[at] !== '{') throw new Error(`${placeOf(text, at)} is no object`);
  const members: JsonMember[] = [];
  let next = skipSpace(text, at + 1);
  while (text[next] !== '}') {
    if (text[next] !== '"') throw new Error(`${placeOf(text, next)} is no member of an object`);
    const nameStart = next;
    const nameEnd = endOfString(text, next);
    const colon = skipSpace(text, nameEnd);
    if (text[colon] !== ':') throw new Error(`${placeOf(text, colon)} should be a colon`);
    const valueStart = skipSpace(text, colon + 1);
    const valueEnd = endOfValue(text, valueStart);
    const behind = skipSpace(text, valueEnd);
    const hasComma = text[behind] === ',';
    if (!hasComma && text[behind] !== '}') throw new Error(`${placeOf(text, behind)} should be a comma or }`);
    members.push({
      name: JSON.parse(text.slice(nameStart, nameEnd)) as string,
      nameStart,
      valueStart,
      valueEnd,
      commaAt: hasComma ? behind : null,
    });
    next = hasComma ? skipSpace(text, behind + 1) : behind;
  }
  return { start: at, end: next + 1, members };
}

/** Past white space and comments. */
export function skipSpace(text: string, at: number): number {
  for (let next = at; ; ) {
    if (/\s|\ufeff/.test(text[next] ?? '')) next += 1;
    else if (text.startsWith('//', next)) next = orEnd(text.indexOf('\n', next), text);
    else if (text.startsWith('/*', next)) next = orEnd(text.indexOf('*/', next + 2), text) + 2;
    else return next;
  }
}

const orEnd = (index: number, text: string): number => (index === -1 ? text.length : index);

function endOfString(text: string, at: number): number {
  for (let next = at + 1; next < text.length; next += 1) {
    if (text[next] === '\\') next += 1;
    else if (text[next] === '"') return next + 1;
    else if (text[next] === '\n') break;
  }
  throw new Error(`the text that begins at ${placeOf(text, at)} has no end`);
}

function endOfValue(text: string, at: number): number {
  const first = text[at];
  if (first === '"') return endOfString(text, at);
  if (first === '{') return scanObject(text, at).end;
  if (first === '[') return endOfArray(text, at);
  const [literal] = /^(?:true|false|null|-?\d[\d.eE+-]*)/.exec(text.slice(at, at + 64)) ?? [];
  if (literal === undefined) throw new Error(`${placeOf(text, at)} is no value`);
  return at + literal.length;
}

function endOfArray(text: string, at: number): number {
  let next = skipSpace(text, at + 1);
  while (text[next] !== ']') {
    next = skipSpace(text, endOfValue(text, next));
    if (text[next] === ',') next = skipSpace(text, next + 1);
    else if (text[next] !== ']') throw new Error(`${placeOf(text, next)} should be a comma or ]`);
  }
  return next + 1;
}

function placeOf(text: string, at: number): string {
  const before = text.slice(0, at).split('\n');
  return `line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1}`;
}
