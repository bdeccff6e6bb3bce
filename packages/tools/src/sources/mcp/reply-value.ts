import type { McpAnswer, ToolCallReply } from '@code-executor/contracts';
import type { RawToolResult } from './mcp-session.ts';
import type { Scrub } from './secrets.ts';
import { printable } from './stderr-log.ts';
import { nestsWithin } from './tool-list-limits.ts';

export const REPLY_LIMIT_BYTES = 8 * 1024 * 1024;
/** Deeper than any real answer, and well within what a recursive reader of JSON survives. */
export const DEEPEST_REPLY = 200;
const MESSAGE_LIMIT_CHARACTERS = 4_000;

/**
 * What code sees of a tool's answer: structured content, else the JSON in a single text block, else the text, else
 * the content blocks. `isError` becomes TOOL_FAILED with the text as its message.
 */
export function replyOf(address: string, result: RawToolResult, scrub: Scrub): MeasuredReply {
  return measured(address, result, scrub, resultValue(result), (value) => {
    if (result.isError !== true) return { ok: true, value };
    const text = scrubbedText(textOf(result), scrub) || (typeof value === 'string' ? value : JSON.stringify(value));
    const message = text.length > MESSAGE_LIMIT_CHARACTERS ? `${text.slice(0, MESSAGE_LIMIT_CHARACTERS)}…` : text;
    return {
      ok: false,
      error: { code: 'TOOL_FAILED', message: message || `${address} failed without a message`, details: { tool: address, value } },
    };
  });
}

/** The same for who passes the answer on: as it came, but for the names under which the protocol itself speaks. */
export function wholeReplyOf(address: string, result: RawToolResult, scrub: Scrub): MeasuredReply {
  if (!Array.isArray(result.content) && result.structuredContent === undefined) return replyOf(address, result, scrub);
  const { content = [], structuredContent, _meta } = result;
  const whole = {
    content,
    ...(structuredContent === undefined ? {} : { structuredContent }),
    ...(isRecord(_meta) ? { _meta: Object.fromEntries(Object.entries(_meta).filter(([name]) => !OF_THE_PROTOCOL.test(name))) } : {}),
  };
  return measured(address, result, scrub, whole, (value) => {
    const answer: McpAnswer = typeof value === 'string' ? { content: [{ type: 'text', text: value }] } : (value as McpAnswer);
    if (result.isError !== true) return { ok: true, value: null, answer };
    return { ok: false, error: { code: 'TOOL_FAILED', message: `${address} failed`, details: { tool: address } }, answer };
  });
}

interface MeasuredReply {
  readonly reply: ToolCallReply;
  readonly bytes: number;
}

/** Reserved prefixes of `_meta`, which would be taken for words of ours. */
const OF_THE_PROTOCOL = /^(?:[^/]*\.)?(?:modelcontextprotocol|mcp)(?:\.[^/]*)?\/|^(?:progressToken|traceparent|tracestate|baggage)$/;

function measured(
  address: string,
  result: RawToolResult,
  scrub: Scrub,
  what: unknown,
  replyFor: (clean: unknown) => ToolCallReply,
): MeasuredReply {
  if (!nestsWithin(result, DEEPEST_REPLY)) {
    return { reply: failure('REPLY_TOO_LARGE', `The reply of ${address} nests deeper than ${DEEPEST_REPLY} levels`), bytes: 0 };
  }
  const value = scrubbed(what, scrub);
  const bytes = Buffer.byteLength(JSON.stringify(value));
  if (bytes <= REPLY_LIMIT_BYTES) return { reply: replyFor(value), bytes };
  const message = `The reply of ${address} has ${bytes} bytes; ${REPLY_LIMIT_BYTES} are allowed. Ask the tool for less`;
  return { reply: failure('REPLY_TOO_LARGE', message), bytes };
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export const failure = (code: string, message: string, details?: unknown): ToolCallReply => ({
  ok: false,
  error: {
    code,
    message: message.length > MESSAGE_LIMIT_CHARACTERS ? printable(message, MESSAGE_LIMIT_CHARACTERS) : message,
    ...(details === undefined ? {} : { details }),
  },
});

function resultValue(result: RawToolResult): unknown {
  if (typeof result.structuredContent === 'object' && result.structuredContent !== null) return result.structuredContent;
  const content = Array.isArray(result.content) ? (result.content as unknown[]) : [];
  // Servers of the protocol's first version answered with `toolResult`.
  if (content.length === 0) return 'toolResult' in result ? result.toolResult : null;
  const texts = content.map(textOfBlock);
  const [only] = texts;
  if (texts.length === 1 && typeof only === 'string') return jsonOrText(only);
  return texts.every((text) => typeof text === 'string') ? texts.join('\n') : content;
}

function textOf(result: RawToolResult): string {
  return Array.isArray(result.content)
    ? result.content
        .map(textOfBlock)
        .filter((text) => text !== null)
        .join('\n')
    : '';
}

function textOfBlock(block: unknown): string | null {
  return typeof block === 'object' &&
    block !== null &&
    'type' in block &&
    block.type === 'text' &&
    'text' in block &&
    typeof block.text === 'string'
    ? block.text
    : null;
}

function jsonOrText(text: string): unknown {
  // A bare word, number or quoted string is text that happens to parse: only objects and arrays are meant as JSON.
  if (!/^\s*[[{]/.test(text)) return text;
  try {
    const value: unknown = JSON.parse(text);
    return nestsWithin(value, DEEPEST_REPLY) ? value : text;
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof RangeError) return text;
    throw error;
  }
}

/**
 * The same value with every string in it cleaned, names included, in place. One that holds a secret in pieces, in a string or from
 * one to the next, is withheld: there is no telling what else it is made of.
 */
export function scrubbed(value: unknown, scrub: Scrub): unknown {
  const texts: string[] = [];
  const clean = cleaned(value, scrub, texts);
  return scrub.findsSplit?.(texts) === true ? WITHHELD : clean;
}

/** A text on its own, such as the message of an error. */
export function scrubbedText(text: string, scrub: Scrub): string {
  const clean = scrub(text);
  return scrub.findsSplit?.([clean]) === true ? WITHHELD : clean;
}

const WITHHELD = '[withheld: it holds the credential that the call was made with, in pieces]';

function cleaned(value: unknown, scrub: Scrub, texts: string[]): unknown {
  if (typeof value === 'string') {
    const clean = scrub(value);
    texts.push(clean);
    return clean;
  }
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) {
    for (const [index, child] of value.entries()) value[index] = cleaned(child, scrub, texts);
    return value;
  }
  const record = value as Record<string, unknown>;
  for (const key of Object.keys(record)) {
    const child = record[key];
    const clean = cleaned(child, scrub, texts);
    const name = scrub(key);
    if (name !== key) delete record[key];
    // `defineProperty`: an own key `__proto__` must stay an own key.
    if (clean !== child || name !== key)
      Object.defineProperty(record, name, { value: clean, enumerable: true, writable: true, configurable: true });
  }
  return record;
}
