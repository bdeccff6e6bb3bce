/** Entry of a thread that reads one document and ends. */
import { isUtf8 } from 'node:buffer';
import { hash } from 'node:crypto';
import { parentPort, workerData } from 'node:worker_threads';
import { AppError, isAppError, messageOf } from '@code-executor/platform/errors';
import { TOOL_LIST_LIMITS } from '../mcp/tool-list-limits.ts';
import { assembleKinds } from '../plugins.ts';
import type { DocumentKind, SourceDocument, SourceKind } from '../port.ts';
import type { ReadingTask, ServiceMessage, ThreadMessage, ToolLine } from './messages.ts';
import { toolLine } from './tool-line.ts';

/** Read and written by the service in a few milliseconds. */
const CHARACTERS_PER_MESSAGE = 128 * 1024;
const MOST_WARNINGS = 50;
/** Of the whole: the rest is for the tools, and for storing them. */
const SHARE_OF_PARSING = 0.7;

const fetches = new Map<number, PromiseWithResolvers<string>>();
let next = Promise.withResolvers<void>();

parentPort?.on('message', (message: ServiceMessage) => {
  if (message.type === 'next') {
    next.resolve();
    return;
  }
  const fetch = fetches.get(message.id);
  fetches.delete(message.id);
  if (message.type === 'fetched') fetch?.resolve(message.text);
  else fetch?.reject(new AppError(message.code, message.message));
});

const post = (message: ThreadMessage): void => parentPort?.postMessage(message);

read(workerData as ReadingTask).then(
  () => parentPort?.close(),
  (error: unknown) => {
    const { code, message, details } = isAppError(error) ? error : faultOf(error);
    post({ type: 'failed', code, message, details });
    parentPort?.close();
  },
);

async function read({ kindsModule, plugins, bytes, url, kind: wanted, slug, wantsTools }: ReadingTask): Promise<void> {
  const { DOCUMENT_KINDS } = (await import(kindsModule)) as { DOCUMENT_KINDS: ReadonlyMap<DocumentKind, SourceKind> };
  const kinds = plugins === null ? DOCUMENT_KINDS : await assembleKinds(plugins, DOCUMENT_KINDS);
  const document: SourceDocument = { text: textOf(bytes), url };
  const { kind, why } = kindOf(document, wanted, kinds);
  const parsed = await kind.parse(document, {
    fetchText: fetchThroughService,
    onProgress: (share) => post({ type: 'progress', share: Math.min(1, Math.max(0, share)) * SHARE_OF_PARSING }),
  });
  const warnings = parsed.warnings.slice(0, MOST_WARNINGS);
  if (parsed.warnings.length > warnings.length) warnings.push(`… and ${parsed.warnings.length - warnings.length} more`);
  const { title, version, baseUrl, securitySchemes, operations } = parsed;
  const toolCount = wantsTools ? await sendTools(slug, parsed.tools, warnings) : parsed.tools.length;
  if (toolCount === 0) throw new AppError('INTEGRATION_INVALID', 'The document describes no operation that could become a tool');
  const digest = hash('sha256', bytes);
  post({
    type: 'done',
    summary: { kind: kind.kind, why, title, version, baseUrl, securitySchemes, operations, toolCount, warnings, digest },
  });
}

async function sendTools(slug: string, tools: Awaited<ReturnType<SourceKind['parse']>>['tools'], warnings: string[]): Promise<number> {
  const names = new Set<string>();
  let batch: ToolLine[] = [];
  let characters = 0;
  let total = 0;
  const flush = async (): Promise<void> => {
    if (batch.length === 0) return;
    next = Promise.withResolvers<void>();
    post({ type: 'tools', tools: batch });
    batch = [];
    characters = 0;
    await next.promise;
  };
  for (const tool of tools) {
    if (names.size >= TOOL_LIST_LIMITS.tools || total > TOOL_LIST_LIMITS.bytes) {
      warnings.push(`The document describes more than can be taken; ${tools.length - names.size} operations are left out`);
      break;
    }
    if (names.has(tool.name)) {
      warnings.push(`${JSON.stringify(tool.name.slice(0, 80))} is there twice; the first counts`);
      continue;
    }
    const made = toolLine(slug, tool);
    if ('problem' in made) {
      warnings.push(made.problem);
      continue;
    }
    if (made.warning !== undefined) warnings.push(made.warning);
    names.add(tool.name);
    batch.push(made.line);
    characters += made.line.definition.length + made.line.binding.length;
    if (characters >= CHARACTERS_PER_MESSAGE) {
      total += characters;
      await flush();
    }
  }
  await flush();
  return names.size;
}

function kindOf(
  document: SourceDocument,
  wanted: DocumentKind | null,
  kinds: ReadonlyMap<DocumentKind, SourceKind>,
): { readonly kind: SourceKind; readonly why: string } {
  if (wanted !== null) {
    const kind = kinds.get(wanted);
    if (kind === undefined) throw new AppError('INTEGRATION_INVALID', `kind: there is no ${JSON.stringify(wanted)}`);
    return { kind, why: kind.detect(document) ?? wanted };
  }
  for (const kind of kinds.values()) {
    const why = kind.detect(document);
    if (why !== null) return { kind, why };
  }
  const start = document.text.trimStart().slice(0, 60).replace(/\s+/g, ' ');
  throw new AppError(
    'INTEGRATION_INVALID',
    `The document is of no kind that is known here (${[...kinds.keys()].join(', ')}); it starts with ${JSON.stringify(start)}. Where it is one of them, say so with "kind", and what is wrong with it is named`,
    { details: { reason: 'unknown_kind' } },
  );
}

function textOf(bytes: Uint8Array): string {
  if (!isUtf8(bytes)) throw new AppError('INTEGRATION_INVALID', 'The document is not UTF-8: save it as UTF-8 and send it again');
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  return text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
}

let lastFetch = 0;

function fetchThroughService(url: string): Promise<string> {
  lastFetch += 1;
  const fetch = Promise.withResolvers<string>();
  fetches.set(lastFetch, fetch);
  post({ type: 'fetch', id: lastFetch, url });
  return fetch.promise;
}

/** A document that exhausts the stack is the document's fault; anything else is ours. */
function faultOf(error: unknown): AppError {
  if (error instanceof RangeError)
    return new AppError('INTEGRATION_INVALID', 'The document nests, or refers to itself, too deep to be read');
  return new AppError('INTERNAL', messageOf(error), { cause: error, details: { stack: error instanceof Error ? error.stack : undefined } });
}
