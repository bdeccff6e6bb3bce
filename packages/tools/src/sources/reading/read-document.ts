import { setImmediate as nextTurn } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type { ToolDefinition } from '@code-executor/contracts';
import { AppError, isAppError, messageOf } from '@code-executor/platform';
import { createTurn } from '../../in-turn.ts';
import type { DocumentKind } from '../port.ts';
import type { DocumentSummary, ReadingTask, ServiceMessage, ThreadMessage } from './messages.ts';

/** One tool of a document. */
export interface ReadTool {
  readonly tool: ToolDefinition;
  /** Of the definition and the binding. */
  readonly digest: string;
  /** As its kind wrote it, in JSON. */
  readonly binding: string;
}

export interface ReadDocument extends DocumentSummary {
  readonly tools: readonly ReadTool[];
}

export interface DocumentToRead {
  /** UTF-8. It is the reader's from now on: the caller's buffer is empty afterwards. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly url: string | null;
  /** Null: to be found out. */
  readonly kind: DocumentKind | null;
  readonly slug: string;
  /** Default true. */
  readonly wantsTools?: boolean | undefined;
  /** What the document refers to. */
  fetchText(url: string): Promise<string>;
  /** 0 to 1. */
  onProgress?(share: number): void;
}

/** Reads documents in threads of their own, one at a time: a large one takes some hundred MB while it is read. */
export interface DocumentReader {
  /** @throws AppError INTEGRATION_INVALID saying where and why; the signal's reason. */
  read(document: DocumentToRead, signal: AbortSignal): Promise<ReadDocument>;
}

export interface DocumentReaderOptions {
  readonly kindsModule?: URL | undefined;
  /** See `SourceKinds`. */
  readonly plugins?: readonly string[] | null | undefined;
  /** Of the thread's heap. */
  readonly memoryMb?: number | undefined;
  readonly timeoutMs?: number | undefined;
}

interface ReaderSettings {
  readonly kindsModule: URL;
  readonly plugins: readonly string[] | null;
  readonly memoryMb: number;
  readonly timeoutMs: number;
}

const KINDS_MODULE = new URL('../kinds.ts', import.meta.url);
/** GitHub's 13 MB take about 350. */
const MEMORY_MB = 1_024;
/** Of files that a document refers to. */
const MOST_FETCHES = 500;

export function createDocumentReader({
  kindsModule = KINDS_MODULE,
  plugins = null,
  memoryMb = MEMORY_MB,
  timeoutMs = 120_000,
}: DocumentReaderOptions = {}): DocumentReader {
  const inTurn = createTurn();
  return {
    read: (document, signal) =>
      inTurn(async () => {
        signal.throwIfAborted();
        return await readInThread(document, { kindsModule, plugins, memoryMb, timeoutMs }, signal);
      }),
  };
}

async function readInThread(
  { bytes, url, kind, slug, wantsTools = true, fetchText, onProgress }: DocumentToRead,
  { kindsModule, plugins, memoryMb, timeoutMs }: ReaderSettings,
  signal: AbortSignal,
): Promise<ReadDocument> {
  const { promise, resolve, reject } = Promise.withResolvers<ReadDocument>();
  const tools: ReadTool[] = [];
  let fetches = 0;
  const task: ReadingTask = { kindsModule: kindsModule.href, plugins, bytes, url, kind, slug, wantsTools };
  const isOwn = bytes.byteOffset === 0 && bytes.byteLength === bytes.buffer.byteLength;
  const thread = new Worker(new URL('./reader-thread.ts', import.meta.url), {
    workerData: task,
    transferList: isOwn ? [bytes.buffer] : [],
    resourceLimits: { maxOldGenerationSizeMb: memoryMb, maxYoungGenerationSizeMb: 64, stackSizeMb: 8 },
    env: {},
  });
  const send = (message: ServiceMessage): void => thread.postMessage(message);
  const fetch = async (id: number, address: string): Promise<void> => {
    try {
      fetches += 1;
      if (fetches > MOST_FETCHES)
        throw new AppError('INTEGRATION_INVALID', `The document refers to more than ${MOST_FETCHES} files; put them into one`);
      send({ type: 'fetched', id, text: await fetchText(address) });
    } catch (error) {
      const { code, message } = isAppError(error) ? error : new AppError('INTEGRATION_INVALID', messageOf(error));
      send({ type: 'not-fetched', id, code, message });
    }
  };
  const take = async (message: ThreadMessage): Promise<void> => {
    switch (message.type) {
      case 'progress':
        onProgress?.(message.share);
        return;
      case 'fetch':
        await fetch(message.id, message.url);
        return;
      case 'tools':
        for (const { definition, digest, binding } of message.tools)
          tools.push({ tool: JSON.parse(definition) as ToolDefinition, digest, binding });
        // Other requests have their turn before the next lot.
        await nextTurn();
        send({ type: 'next' });
        return;
      case 'done':
        resolve({ ...message.summary, tools });
        return;
      case 'failed':
        reject(new AppError(message.code, message.message, { details: message.details }));
    }
  };
  const abort = (): void => reject(signal.reason);
  const timer = setTimeout(
    () => reject(new AppError('INTEGRATION_INVALID', `The document was not read within ${timeoutMs / 1000} s: split it, or simplify it`)),
    timeoutMs,
  );
  signal.addEventListener('abort', abort, { once: true });
  thread.on('message', (message: ThreadMessage) => void take(message).catch(reject));
  thread.on('error', (error) => reject(faultOf(error, memoryMb)));
  thread.on('exit', (code) => reject(new AppError('INTERNAL', `Reading a document failed: its thread ended with ${code}`)));
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', abort);
    await thread.terminate();
  }
}

function faultOf(error: unknown, memoryMb: number): AppError {
  const code = error instanceof Error && 'code' in error ? error.code : null;
  return code === 'ERR_WORKER_OUT_OF_MEMORY'
    ? new AppError('INTEGRATION_INVALID', `The document takes more than ${memoryMb} MB to be read: split it, or leave parts of it out`)
    : new AppError('INTERNAL', `Reading a document failed: ${messageOf(error)}`, { cause: error });
}
