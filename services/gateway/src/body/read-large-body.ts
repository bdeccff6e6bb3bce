import { Worker } from 'node:worker_threads';
import { ERROR_CODES, type ErrorCode } from '@code-executor/contracts';
import { AppError, messageOf } from '@code-executor/platform';
import { type DocumentBody, readDocumentBody } from './document-body.ts';
import type { DocumentThreadMessage } from './document-thread.ts';

/** Read within a few milliseconds. */
const SMALL_BYTES = 128 * 1024;
const MEMORY_MB = 768;
const TIMEOUT_MS = 60_000;
/** Each takes several times its size. */
const MOST_AT_ONCE = 2;

/**
 * Reads bodies that carry a document: large ones in a thread of their own, so that nobody waits for them.
 * The answer rejects with AppError like `parseJsonBody`, or INVALID_REQUEST where the body takes too much to be read.
 */
export function createLargeBodyReader(): (bytes: Buffer) => Promise<DocumentBody> {
  let running = 0;
  const waiting: (() => void)[] = [];
  return async (bytes) => {
    if (bytes.byteLength <= SMALL_BYTES) return readDocumentBody(bytes);
    if (running >= MOST_AT_ONCE) await new Promise<void>((resolve) => waiting.push(resolve));
    running += 1;
    try {
      return await readInThread(bytes);
    } finally {
      running -= 1;
      waiting.shift()?.();
    }
  };
}

async function readInThread(bytes: Buffer): Promise<DocumentBody> {
  const { promise, resolve, reject } = Promise.withResolvers<DocumentBody>();
  const thread = new Worker(new URL('./document-thread.ts', import.meta.url), {
    workerData: bytes,
    resourceLimits: { maxOldGenerationSizeMb: MEMORY_MB, stackSizeMb: 8 },
    env: {},
  });
  const tooMuch = (why: string): AppError =>
    new AppError('INVALID_REQUEST', `The body ${why}: send a smaller document, or its address as "url"`);
  const timer = setTimeout(() => reject(tooMuch(`was not read within ${TIMEOUT_MS / 1000} s`)), TIMEOUT_MS);
  thread.on('message', (message: DocumentThreadMessage) => {
    if (message.ok) resolve(message);
    else reject(new AppError(codeOf(message.code), message.message, { details: message.details }));
  });
  thread.on('error', (error) => {
    const isMemory = 'code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY';
    reject(isMemory ? tooMuch('takes too much memory to be read') : new AppError('INTERNAL', messageOf(error), { cause: error }));
  });
  thread.on('exit', (code) => reject(new AppError('INTERNAL', `The thread that read a body ended with ${code}`)));
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    await thread.terminate();
  }
}

const codeOf = (code: string): ErrorCode => (Object.hasOwn(ERROR_CODES, code) ? (code as ErrorCode) : 'INTERNAL');
