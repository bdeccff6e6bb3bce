/** Entry of a thread that reads one body and ends. */
import { parentPort, workerData } from 'node:worker_threads';
import { isAppError, messageOf } from '@code-executor/platform/errors';
import { type DocumentBody, readDocumentBody } from './document-body.ts';

export type DocumentThreadMessage =
  | ({ readonly ok: true } & DocumentBody)
  | { readonly ok: false; readonly code: string; readonly message: string; readonly details: unknown };

const bytes = workerData as Uint8Array<ArrayBuffer>;

try {
  const read = readDocumentBody(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  parentPort?.postMessage({ ok: true, ...read } satisfies DocumentThreadMessage, read.document === undefined ? [] : [read.document.buffer]);
} catch (error) {
  const { code, message, details } = isAppError(error) ? error : { code: 'INTERNAL', message: messageOf(error), details: undefined };
  parentPort?.postMessage({ ok: false, code, message, details } satisfies DocumentThreadMessage);
}
