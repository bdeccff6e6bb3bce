import { AppError } from '@code-executor/platform/errors';
import type { OutboundResponse } from '../../../outbound/port.ts';
import type { InvokeResult } from '../../port.ts';
import { errorMessage } from './error-message.ts';
import { replyMeta } from './reply-meta.ts';

/** Base64 makes 8 MB of this, which is what a reply may have. */
const LARGEST_FILE_BYTES = 6_000_000;

/** An answer as a value: JSON as what it says, text as text, bytes as a file, nothing as null. */
export function readReply(response: OutboundResponse, nowMs: number): InvokeResult {
  const { status, headers, url } = response;
  const value = bodyValue(response);
  const meta = replyMeta(status, headers, url, nowMs);
  return status < 400 ? { ok: true, value, meta } : { ok: false, value, message: errorMessage(status, value), meta };
}

function bodyValue({ headers, body }: OutboundResponse): unknown {
  if (body.length === 0) return null;
  const contentType = headers['content-type'] ?? '';
  const type = (contentType.split(';')[0] ?? '').trim().toLowerCase();
  if (/^[^/]+\/(?:.+\+)?json$/.test(type) || type === 'text/json') return jsonOrText(decode(body, contentType));
  if (type === '') return undeclared(body, headers);
  if (isText(type)) return decode(body, contentType);
  return file(body, type, headers);
}

const isText = (type: string): boolean =>
  type.startsWith('text/') ||
  /[/+](?:xml|yaml|x-yaml|javascript|x-ndjson|ndjson|jsonl|json-seq|x-www-form-urlencoded|graphql|csv|sql|toml)$/.test(type);

function undeclared(body: Uint8Array, headers: OutboundResponse['headers']): unknown {
  try {
    return jsonOrText(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch {
    // No UTF-8: bytes.
    return file(body, 'application/octet-stream', headers);
  }
}

/** Integers that a number cannot hold become text, rather than another integer. */
function jsonOrText(text: string): unknown {
  try {
    return /\d{16}/.test(text) ? JSON.parse(text, exactInteger) : JSON.parse(text);
  } catch {
    // What calls itself JSON and is none is handed on as it is.
    return text;
  }
}

function exactInteger(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  if (typeof value !== 'number' || !Number.isInteger(value) || Number.isSafeInteger(value)) return value;
  return context?.source !== undefined && /^-?\d+$/.test(context.source) ? context.source : value;
}

function decode(body: Uint8Array, contentType: string): string {
  const charset = /charset\s*=\s*"?([\w.:-]+)/i.exec(contentType)?.[1] ?? 'utf-8';
  try {
    return new TextDecoder(charset).decode(body);
  } catch {
    // An encoding that nobody knows.
    return new TextDecoder().decode(body);
  }
}

function file(body: Uint8Array, contentType: string, headers: OutboundResponse['headers']): unknown {
  if (body.length > LARGEST_FILE_BYTES) {
    throw new AppError(
      'REPLY_TOO_LARGE',
      `The answer is a file of ${body.length} bytes; ${LARGEST_FILE_BYTES} can be handed over. Ask for a part of it`,
    );
  }
  return {
    base64: Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('base64'),
    contentType: contentType.slice(0, 200),
    filename: filenameOf(headers['content-disposition'] ?? ''),
    bytes: body.length,
  };
}

/** The name without any path; null: none is given. */
function filenameOf(disposition: string): string | null {
  const extended = /filename\*\s*=\s*[\w-]*'[\w-]*'([^;\s]+)/i.exec(disposition)?.[1];
  const plain = /filename\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;\s]+))/i.exec(disposition);
  const given = extended === undefined ? (plain?.[1] ?? plain?.[2] ?? '') : decodedName(extended);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: no name of a file holds them
  const name = (given.split(/[/\\]/).at(-1) ?? '').replace(/[\u0000-\u001f\u007f]/g, '').slice(0, 255);
  return name === '' || name === '.' || name === '..' ? null : name;
}

function decodedName(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // Another encoding than UTF-8: as it stands.
    return text;
  }
}
