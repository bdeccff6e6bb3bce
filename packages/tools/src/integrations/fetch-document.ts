import { DOCUMENT_LIMIT_BYTES } from '@code-executor/contracts';
import { AppError } from '@code-executor/platform';
import type { OutboundHttp } from '../outbound/port.ts';

export interface FetchedDocument {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** After redirects. */
  readonly url: string;
  readonly contentType: string;
}

const ACCEPT = 'application/json, application/yaml, application/vnd.oai.openapi+json, application/graphql, text/plain;q=0.9, */*;q=0.8';
/** An event stream goes on for ever; what it is shows in its first event. */
const EVENT_STREAM_BYTES = 4_096;
const EVENT_STREAM_MS = 3_000;

/** What lies at an address. @throws AppError INTEGRATION_UNREACHABLE, INTEGRATION_INVALID where it is too large, OUTBOUND_REFUSED; the signal's reason. */
export async function fetchDocument(url: string, http: OutboundHttp, signal: AbortSignal): Promise<FetchedDocument> {
  const response = await http.fetch(url, { headers: { accept: ACCEPT }, signal });
  const contentType = response.headers.get('content-type') ?? '';
  if (!response.ok) {
    await response.body?.cancel();
    throw new AppError('INTEGRATION_UNREACHABLE', `url: ${originOf(url)} answers HTTP ${response.status}${adviceFor(response.status)}`, {
      details: { status: response.status },
    });
  }
  const isStream = contentType.startsWith('text/event-stream');
  const bytes = isStream
    ? await readBody(response, EVENT_STREAM_BYTES, AbortSignal.timeout(EVENT_STREAM_MS))
    : await readBody(response, DOCUMENT_LIMIT_BYTES, null);
  if (bytes === null)
    throw new AppError('INTEGRATION_INVALID', `url: the document is larger than ${DOCUMENT_LIMIT_BYTES / 1024 / 1024} MB`);
  return { bytes, url: response.url === '' ? url : response.url, contentType };
}

/** Null: larger than that. With a signal, what there is when it aborts, or when there is so much. */
async function readBody(response: Response, limitBytes: number, enough: AbortSignal | null): Promise<Uint8Array<ArrayBuffer> | null> {
  const reader = response.body?.getReader();
  const chunks: Uint8Array[] = [];
  let length = 0;
  const stop = (): void => void reader?.cancel().catch(() => undefined);
  enough?.addEventListener('abort', stop, { once: true });
  try {
    for (;;) {
      const { done, value } = (await reader?.read()) ?? { done: true, value: undefined };
      if (done || value === undefined) break;
      chunks.push(value);
      length += value.byteLength;
      if (length > limitBytes && enough === null) return null;
      if (length > limitBytes || (enough !== null && Buffer.from(value).includes('\n\n'))) break;
    }
  } finally {
    enough?.removeEventListener('abort', stop);
    stop();
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.byteLength;
  }
  return bytes;
}

const adviceFor = (status: number): string =>
  status === 401 || status === 403 ? ': it wants a credential. Fetch the document yourself and send it as "document"' : '';

/** An address may carry a key in its query. */
const originOf = (url: string): string => new URL(url).origin;
