import { parseJsonBody } from './parse-json.ts';
import type { JsonLimits } from './scan-json.ts';

/** A body with a `document`, which is handed on as it is instead of as a value. */
export interface DocumentBody {
  /** The body with an empty text in the place of the document. */
  readonly body: unknown;
  /** UTF-8: the text that was given, or the JSON that was. */
  readonly document: Uint8Array<ArrayBuffer> | undefined;
}

/** Descriptions of APIs nest deeper and have more keys than any other body. */
const DOCUMENT_LIMITS: JsonLimits = { depth: 256, keys: 5_000_000 };

/** @throws AppError like `parseJsonBody` */
export function readDocumentBody(bytes: Buffer): DocumentBody {
  const body = parseJsonBody(bytes, DOCUMENT_LIMITS);
  if (typeof body !== 'object' || body === null || Array.isArray(body) || !('document' in body)) return { body, document: undefined };
  const { document } = body;
  if (typeof document !== 'string' && (typeof document !== 'object' || document === null)) return { body, document: undefined };
  const text = typeof document === 'string' ? document : JSON.stringify(document);
  return { body: { ...body, document: '' }, document: new TextEncoder().encode(text) };
}
