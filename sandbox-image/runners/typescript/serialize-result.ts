/**
 * Writes a program's result as JSON, by JSON.stringify's rules, with four differences: it stops as soon as the text
 * passes the limit, it says where a value is that cannot be written, Map, Set, Error and typed arrays keep their
 * content, and a promise or raw memory inside the result is refused, since `{}` would be a silent loss.
 *
 * Everything it leans on is taken before the program's first line runs, so that a program that rewrites prototypes
 * changes neither what its own values look like nor whether the answer arrives.
 */
export type SerializedResult =
  | { readonly ok: true; readonly bytes: Uint8Array }
  | { readonly ok: false; readonly code: 'RESULT_TOO_LARGE' | 'RESULT_NOT_SERIALIZABLE'; readonly message: string };

/** Deeper values are refused: every reader of the answer recurses too. */
const MAX_DEPTH = 1000;

const uncurry = (method: unknown) =>
  Function.prototype.call.bind(method as () => unknown) as (self: unknown, ...args: unknown[]) => unknown;
const quote = JSON.stringify;
const isArray = Array.isArray;
const isView = ArrayBuffer.isView;
const isFiniteNumber = Number.isFinite;
const keysOf = Object.keys;
const ObjectPrototype = Object.prototype;
const ArrayPrototype = Array.prototype;
const encoder = new TextEncoder();
const encode = uncurry(encoder.encode) as (self: typeof encoder, text: string) => Uint8Array;
const dateTime = uncurry(Date.prototype.getTime);
const dateIso = uncurry(Date.prototype.toISOString);
const mapForEach = uncurry(Map.prototype.forEach);
const setForEach = uncurry(Set.prototype.forEach);
const matches = uncurry(RegExp.prototype.test);
const [BigIntType, BooleanType, DateType, ErrorType, MapType, NumberType, PromiseType, SetType, StringType] = [
  BigInt,
  Boolean,
  Date,
  Error,
  Map,
  Number,
  Promise,
  Set,
  String,
];
const [BufferType, SharedBufferType, ViewType] = [ArrayBuffer, SharedArrayBuffer, DataView];
const IDENTIFIER = /^[A-Za-z_$][\w$]*$/;

class Refusal {
  readonly code: 'RESULT_TOO_LARGE' | 'RESULT_NOT_SERIALIZABLE';
  readonly reason: string;
  constructor(code: Refusal['code'], reason: string) {
    this.code = code;
    this.reason = reason;
  }
}

// Filled beforehand: assigning to an element that is not there would call a setter planted on Array.prototype.
const ancestors: unknown[] = new Array(MAX_DEPTH + 2).fill(null);
const path: (string | number)[] = new Array(MAX_DEPTH + 2).fill('');
let pathLength = 0;
let text = '';
let limit = 0;

let root = '';
let busy = false;

/** `limitBytes` counts UTF-8 bytes of the JSON text; `name` is what messages call the value. Never throws. */
export function serializeResult(value: unknown, limitBytes: number, name = 'result'): SerializedResult {
  // A toJSON that calls a tool: its arguments would be written in the middle of these.
  if (busy)
    return { ok: false, code: 'RESULT_NOT_SERIALIZABLE', message: 'A value cannot be written while it is asked for its JSON form.' };
  busy = true;
  root = name;
  pathLength = 0;
  text = '';
  limit = limitBytes;
  try {
    const resolved = resolve(value, '');
    if (isDropped(resolved)) text = 'null';
    else writeValue(resolved, 0);
    const bytes = encode(encoder, text);
    if (bytes.length > limitBytes) throw tooLarge();
    return { ok: true, bytes };
  } catch (error) {
    if (error instanceof Refusal) return { ok: false, code: error.code, message: error.reason };
    return { ok: false, code: 'RESULT_NOT_SERIALIZABLE', message: thrownWhileReading(error) };
  } finally {
    busy = false;
    text = '';
    for (let index = 0; index <= pathLength; index += 1) ancestors[index] = null;
  }
}

/** Asks `toJSON` where a value has one of its own kind; one planted on a root prototype says nothing about the value. */
function resolve(value: unknown, key: string | number): unknown {
  if (typeof value === 'bigint') {
    const toJson = (BigIntType.prototype as { toJSON?: unknown }).toJSON;
    return typeof toJson === 'function' ? uncurry(toJson)(value, `${key}`) : value;
  }
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof DateType) {
    return isFiniteNumber(dateTime(value) as number) ? dateIso(value) : null;
  }
  const { toJSON } = value as { toJSON?: unknown };
  if (typeof toJSON !== 'function' || toJSON === plantedToJson(value)) return value;
  return uncurry(toJSON)(value, `${key}`);
}

const plantedToJson = (value: object): unknown =>
  ((isArray(value) ? ArrayPrototype : ObjectPrototype) as { toJSON?: unknown }).toJSON ?? (ObjectPrototype as { toJSON?: unknown }).toJSON;

const isDropped = (value: unknown): boolean => value === undefined || typeof value === 'function' || typeof value === 'symbol';

function emit(piece: string): void {
  text += piece;
  if (text.length > limit) throw tooLarge();
}

function writeValue(value: unknown, depth: number): void {
  switch (typeof value) {
    case 'string':
      if (value.length > limit - text.length) throw tooLarge();
      emit(quote(value));
      return;
    case 'number':
      emit(isFiniteNumber(value) ? `${value}` : 'null');
      return;
    case 'boolean':
      emit(value ? 'true' : 'false');
      return;
    case 'bigint':
      throw refusal('is a BigInt', 'Convert it first: String(value) keeps every digit, Number(value) may not.');
    case 'object':
      if (value === null) emit('null');
      else writeObject(value, depth);
      return;
    default:
      emit('null');
      return;
  }
}

function writeObject(value: object, depth: number): void {
  if (depth >= MAX_DEPTH) {
    throw new Refusal(
      'RESULT_NOT_SERIALIZABLE',
      `The result nests deeper than ${MAX_DEPTH} levels. Return a flatter value, or only the part that is needed.`,
    );
  }
  for (let index = 0; index < depth; index += 1) {
    if (ancestors[index] === value) {
      throw refusal(
        `refers back to ${pathText(index)}: a cycle`,
        'Return a copy without the reference back, or only the fields that are needed.',
      );
    }
  }
  ancestors[depth] = value;
  if (isArray(value)) {
    writeArray(value, value.length, depth);
    return;
  }
  if (value instanceof MapType) {
    writeMap(value, depth);
    return;
  }
  if (value instanceof SetType) {
    const items = collect(setForEach, value);
    writeArray(items, items.length, depth);
    return;
  }
  if (value instanceof ErrorType) {
    writeError(value, depth);
    return;
  }
  if (value instanceof PromiseType) throw refusal('is a Promise', 'Await it before returning it.');
  if (value instanceof NumberType || value instanceof StringType || value instanceof BooleanType) {
    writeValue(value.valueOf(), depth);
    return;
  }
  if (isView(value) && !(value instanceof ViewType)) {
    writeArray(value as unknown as unknown[], (value as Uint8Array).length, depth);
    return;
  }
  if (value instanceof BufferType || value instanceof SharedBufferType || isView(value)) {
    throw refusal('holds raw bytes', "Convert them first, for example with Buffer.from(value).toString('base64').");
  }
  writeProperties(value, keysOf(value), depth);
}

function writeArray(items: ArrayLike<unknown>, length: number, depth: number): void {
  if (length * 2 > limit - text.length) throw tooLarge();
  emit('[');
  for (let index = 0; index < length; index += 1) {
    if (index > 0) emit(',');
    enter(depth, index);
    const item = resolve(items[index], index);
    if (isDropped(item)) emit('null');
    else writeValue(item, depth + 1);
    pathLength = depth;
  }
  emit(']');
}

function writeProperties(value: object, keys: readonly string[], depth: number): void {
  emit('{');
  let first = true;
  for (let index = 0; index < keys.length; index += 1) {
    const key = keys[index] as string;
    enter(depth, key);
    const item = resolve((value as Record<string, unknown>)[key], key);
    if (!isDropped(item)) {
      emit(first ? `${quote(key)}:` : `,${quote(key)}:`);
      first = false;
      writeValue(item, depth + 1);
    }
    pathLength = depth;
  }
  emit('}');
}

/** An object where every key reads as one, else the list of its entries. */
function writeMap(map: Map<unknown, unknown>, depth: number): void {
  const entries = collect(mapForEach, map) as [unknown, unknown][];
  let named = true;
  for (let index = 0; index < entries.length; index += 1) {
    const key = (entries[index] as [unknown, unknown])[1];
    if (typeof key !== 'string' && typeof key !== 'number' && typeof key !== 'boolean') named = false;
  }
  if (!named) {
    const pairs = newArray(entries.length);
    for (let index = 0; index < entries.length; index += 1) {
      const entry = entries[index] as [unknown, unknown];
      pairs[index] = [entry[1], entry[0]];
    }
    writeArray(pairs, pairs.length, depth);
    return;
  }
  emit('{');
  for (let index = 0; index < entries.length; index += 1) {
    const entry = entries[index] as [unknown, unknown];
    const key = `${entry[1]}`;
    enter(depth, key);
    const item = resolve(entry[0], key);
    emit(index === 0 ? `${quote(key)}:` : `,${quote(key)}:`);
    writeValue(isDropped(item) ? null : item, depth + 1);
    pathLength = depth;
  }
  emit('}');
}

/** JSON.stringify makes `{}` of an error; its name and message are what the reader wants. */
function writeError(error: Error, depth: number): void {
  const shown: Record<string, unknown> = { name: error.name, message: error.message };
  const keys = keysOf(error);
  for (let index = 0; index < keys.length; index += 1) {
    const key = keys[index] as string;
    // Own enumerable fields that engines add to every error, without meaning outside this process.
    if (
      key !== 'line' &&
      key !== 'column' &&
      key !== 'originalLine' &&
      key !== 'originalColumn' &&
      key !== 'sourceURL' &&
      key !== 'stack'
    ) {
      shown[key] = (error as unknown as Record<string, unknown>)[key];
    }
  }
  writeProperties(shown, keysOf(shown), depth);
}

/** Members in order; a Map's as `[value, key]`. */
function collect(forEach: (self: unknown, ...args: unknown[]) => unknown, collection: Map<unknown, unknown> | Set<unknown>): unknown[] {
  if (collection.size * 2 > limit - text.length) throw tooLarge();
  const members = newArray(collection.size);
  const isMap = forEach === mapForEach;
  let count = 0;
  forEach(collection, (value: unknown, key: unknown) => {
    members[count] = isMap ? [value, key] : value;
    count += 1;
  });
  members.length = count;
  return members;
}

// Elements that are there already: assigning to others would call a setter planted on Array.prototype.
const arrayFrom = Array.from;
const newArray = (length: number): unknown[] => arrayFrom({ length });

function enter(depth: number, key: string | number): void {
  path[depth] = key;
  pathLength = depth + 1;
}

function refusal(what: string, advice: string): Refusal {
  return new Refusal(
    'RESULT_NOT_SERIALIZABLE',
    `The ${root === 'result' ? 'result' : 'argument'} cannot be written as JSON: ${pathText(pathLength)} ${what}. ${advice}`,
  );
}

function tooLarge(): Refusal {
  return new Refusal(
    'RESULT_TOO_LARGE',
    `The result is larger than ${limit} bytes as JSON. Return a summary or the part that is needed, or keep the rest in a tool.`,
  );
}

function thrownWhileReading(error: unknown): string {
  let what = 'an error';
  try {
    what = error instanceof ErrorType ? `${error.name}: ${error.message}` : `${error as string}`;
  } catch {
    what = 'a value that cannot be shown';
  }
  return `The ${root === 'result' ? 'result' : 'argument'} cannot be written as JSON: reading ${pathText(pathLength)} threw ${what}. Return plain values instead of the object that computes them.`;
}

function pathText(length: number): string {
  let shown = root;
  for (let index = 0; index < length && index < 20; index += 1) {
    const key = path[index] as string | number;
    shown += typeof key === 'number' ? `[${key}]` : matches(IDENTIFIER, key) ? `.${key}` : `[${quote(key)}]`;
  }
  return length > 20 ? `${shown}…` : shown;
}
