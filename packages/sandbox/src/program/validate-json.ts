import { isUtf8 } from 'node:buffer';

/** Bytes looked at before everything else gets a turn. */
const SLICE_BYTES = 256 * 1024;

/**
 * Whether the bytes are one JSON text in UTF-8 that nests no deeper than `maxDepth`. It builds nothing and, for long texts, lets the
 * event loop turn: JSON.parse of 10 MB of hostile brackets holds everything up for a quarter of a second.
 */
export async function isValidJson(bytes: Buffer, maxDepth: number): Promise<boolean> {
  if (!isUtf8(bytes)) return false;
  const scan = createScan(bytes, maxDepth);
  for (let until = SLICE_BYTES; ; until += SLICE_BYTES) {
    const answer = scan(until);
    if (answer !== null) return answer;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

type Expected = 'value' | 'value-or-end' | 'key' | 'key-or-end' | 'colon' | 'comma-or-end' | 'nothing';

const ARRAY = 1;
const OBJECT = 2;

/** Goes on to the first token that starts at or after `until`; null means that there is more. */
function createScan(bytes: Buffer, maxDepth: number): (until: number) => boolean | null {
  const stack = new Uint8Array(maxDepth + 1);
  let depth = 0;
  let at = 0;
  let expected: Expected = 'value';

  const open = (kind: number): boolean => {
    depth += 1;
    if (depth > maxDepth) return false;
    stack[depth] = kind;
    expected = kind === ARRAY ? 'value-or-end' : 'key-or-end';
    at += 1;
    return true;
  };
  const close = (kind: number): boolean => {
    if (stack[depth] !== kind) return false;
    depth -= 1;
    at += 1;
    expected = depth === 0 ? 'nothing' : 'comma-or-end';
    return true;
  };
  const scalar = (end: number): boolean => {
    if (end === -1) return false;
    at = end;
    expected = depth === 0 ? 'nothing' : 'comma-or-end';
    return true;
  };
  const value = (byte: number): boolean => {
    if (byte === 0x7b) return open(OBJECT);
    if (byte === 0x5b) return open(ARRAY);
    if (byte === 0x22) return scalar(endOfString(bytes, at));
    if (byte === 0x2d || isDigit(byte)) return scalar(endOfNumber(bytes, at));
    return scalar(endOfWord(bytes, at, byte));
  };
  const step = (byte: number): boolean => {
    switch (expected) {
      case 'value':
        return value(byte);
      case 'value-or-end':
        return byte === 0x5d ? close(ARRAY) : value(byte);
      case 'key-or-end':
      case 'key': {
        if (byte === 0x7d && expected === 'key-or-end') return close(OBJECT);
        const end = byte === 0x22 ? endOfString(bytes, at) : -1;
        at = end;
        expected = 'colon';
        return end !== -1;
      }
      case 'colon':
        at += 1;
        expected = 'value';
        return byte === 0x3a;
      case 'comma-or-end':
        if (byte === 0x2c) {
          at += 1;
          expected = stack[depth] === OBJECT ? 'key' : 'value';
          return true;
        }
        return close(byte === 0x5d ? ARRAY : byte === 0x7d ? OBJECT : 0);
      case 'nothing':
        return false;
    }
  };

  return (until) => {
    while (at < bytes.length) {
      if (at >= until) return null;
      const byte = bytes[at] as number;
      if (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09) at += 1;
      else if (!step(byte)) return false;
    }
    return expected === 'nothing';
  };
}

/** All return the offset after the token, or -1. */
function endOfString(bytes: Buffer, start: number): number {
  for (let at = start + 1; at < bytes.length; at += 1) {
    const byte = bytes[at] as number;
    if (byte === 0x22) return at + 1;
    if (byte < 0x20) return -1;
    if (byte !== 0x5c) continue;
    at += 1;
    const escaped = bytes[at];
    if (escaped === 0x75) {
      for (let digit = 1; digit <= 4; digit += 1) if (!isHex(bytes[at + digit])) return -1;
      at += 4;
    } else if (escaped === undefined || !'"\\/bfnrt'.includes(String.fromCharCode(escaped))) {
      return -1;
    }
  }
  return -1;
}

function endOfNumber(bytes: Buffer, start: number): number {
  let at = bytes[start] === 0x2d ? start + 1 : start;
  if (!isDigit(bytes[at])) return -1;
  at = bytes[at] === 0x30 ? at + 1 : endOfDigits(bytes, at);
  if (bytes[at] === 0x2e) {
    if (!isDigit(bytes[at + 1])) return -1;
    at = endOfDigits(bytes, at + 1);
  }
  if (bytes[at] === 0x65 || bytes[at] === 0x45) {
    at += bytes[at + 1] === 0x2b || bytes[at + 1] === 0x2d ? 2 : 1;
    if (!isDigit(bytes[at])) return -1;
    at = endOfDigits(bytes, at);
  }
  return at;
}

function endOfDigits(bytes: Buffer, start: number): number {
  let at = start;
  while (isDigit(bytes[at])) at += 1;
  return at;
}

const WORDS = new Map([
  [0x74, Buffer.from('true')],
  [0x66, Buffer.from('false')],
  [0x6e, Buffer.from('null')],
]);

function endOfWord(bytes: Buffer, start: number, first: number): number {
  const word = WORDS.get(first);
  if (word === undefined) return -1;
  return bytes.subarray(start, start + word.length).equals(word) ? start + word.length : -1;
}

const isDigit = (byte: number | undefined): boolean => byte !== undefined && byte >= 0x30 && byte <= 0x39;
const isHex = (byte: number | undefined): boolean =>
  isDigit(byte) || (byte !== undefined && (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x66);
