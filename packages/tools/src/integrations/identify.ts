import { DOCUMENT_LIMIT_BYTES } from '@code-executor/contracts';
import { AppError, isAppError, messageOf } from '@code-executor/platform';
import type { OutboundHttp } from '../outbound/port.ts';
import type { DocumentKind, SourceKind } from '../sources/port.ts';
import type { DocumentReader, ReadDocument } from '../sources/reading/read-document.ts';
import { type FetchedDocument, fetchDocument } from './fetch-document.ts';
import { isMcpEventStream, type McpGreeting, probeMcp } from './probe-mcp.ts';

export interface IdentifyDependencies {
  readonly kinds: ReadonlyMap<DocumentKind, SourceKind>;
  readonly reader: DocumentReader;
  /** The guard with the origin of the address. */
  readonly http: OutboundHttp;
  /** For what a document refers to. */
  fetchText(url: string): Promise<string>;
}

export interface Identification {
  readonly slug: string;
  readonly url: string;
  /** Null: whatever it is. */
  readonly kind: DocumentKind | null;
  readonly wantsTools: boolean;
  onProgress?(share: number): void;
}

/** What lies at an address: a document, read with its tools where they are wanted, or an MCP server. */
export type Identified = { readonly read: ReadDocument } | { readonly mcp: McpGreeting };

const ASK_TIMEOUT_MS = 30_000;

/**
 * A document by GET first, then whatever a kind has to ask for, then MCP. Nothing that is sent changes anything.
 * @throws AppError INTEGRATION_INVALID, INTEGRATION_UNREACHABLE, OUTBOUND_REFUSED; the signal's reason.
 */
export async function identify(what: Identification, deps: IdentifyDependencies, signal: AbortSignal): Promise<Identified> {
  const asking = what.kind === null ? undefined : deps.kinds.get(what.kind);
  if (asking?.fetchDocument !== undefined) return await askFor(asking, what, deps, signal);
  const found = await attempt(() => fetchDocument(what.url, deps.http, signal), signal);
  if ('done' in found) {
    const mcp = eventStream(found.done, what);
    if (mcp !== null) return { mcp };
    const read = await attempt(() => readFetched(found.done, what, deps, signal), signal);
    if ('done' in read) return read.done;
    // A document that is one of a kind, or has to be, is judged by that kind alone.
    if (what.kind !== null || !isUnknownKind(read.error)) throw read.error;
    return await somethingElse(read.error, what, deps, signal);
  }
  if (what.kind !== null || !isAppError(found.error, 'INTEGRATION_UNREACHABLE')) throw asUnreachable(found.error);
  return await somethingElse(found.error, what, deps, signal);
}

async function somethingElse(why: unknown, what: Identification, deps: IdentifyDependencies, signal: AbortSignal): Promise<Identified> {
  let said = why;
  for (const kind of deps.kinds.values()) {
    if (kind.fetchDocument === undefined) continue;
    const asked = await attempt(() => askFor(kind, what, deps, signal), signal);
    if ('done' in asked) return asked.done;
    // It is one, and says why it cannot be read.
    if (isAppError(asked.error, 'INTEGRATION_INVALID') && !isUnknownKind(asked.error)) said = asked.error;
  }
  const mcp = await attempt(() => probeMcp(what.url, deps.http, signal), signal);
  if ('done' in mcp && mcp.done !== null) return { mcp: mcp.done };
  throw asUnreachable(said);
}

async function readFetched(
  found: FetchedDocument,
  what: Identification,
  deps: IdentifyDependencies,
  signal: AbortSignal,
): Promise<Identified> {
  return { read: await read(found.bytes, found.url, what.kind, what, deps, signal) };
}

async function askFor(kind: SourceKind, what: Identification, deps: IdentifyDependencies, signal: AbortSignal): Promise<Identified> {
  const context = { credential: null, http: deps.http, timeoutMs: ASK_TIMEOUT_MS, maximumBytes: DOCUMENT_LIMIT_BYTES, signal };
  const document = await kind.fetchDocument?.(what.url, context);
  if (document === null || document === undefined)
    throw new AppError('INTEGRATION_INVALID', `url: what answers there is no ${kind.kind} endpoint`, {
      details: { reason: 'unknown_kind' },
    });
  return { read: await read(new TextEncoder().encode(document.text), document.url, kind.kind, what, deps, signal) };
}

const read = (
  bytes: Uint8Array<ArrayBuffer>,
  url: string | null,
  kind: DocumentKind | null,
  { slug, wantsTools, onProgress }: Identification,
  { reader, fetchText }: IdentifyDependencies,
  signal: AbortSignal,
): Promise<ReadDocument> => reader.read({ bytes, url, kind, slug, wantsTools, fetchText, ...(onProgress ? { onProgress } : {}) }, signal);

function eventStream({ contentType, bytes }: FetchedDocument, { kind, url }: Identification): McpGreeting | null {
  if (kind !== null || !isMcpEventStream(contentType, new TextDecoder().decode(bytes))) return null;
  return { why: 'MCP over HTTP with SSE', title: new URL(url).host };
}

/** What it came to, or why it failed; the signal's reason is thrown. */
async function attempt<Result>(
  act: () => Promise<Result>,
  signal: AbortSignal,
): Promise<{ readonly done: Result } | { readonly error: unknown }> {
  try {
    return { done: await act() };
  } catch (error) {
    signal.throwIfAborted();
    return { error };
  }
}

const isUnknownKind = (error: unknown): boolean =>
  isAppError(error, 'INTEGRATION_INVALID') &&
  typeof error.details === 'object' &&
  error.details !== null &&
  'reason' in error.details &&
  error.details.reason === 'unknown_kind';

/** What the way there threw, as the one code that says so. */
function asUnreachable(error: unknown): AppError {
  if (isAppError(error, 'UPSTREAM_UNAVAILABLE') || isAppError(error, 'UPSTREAM_LOST') || isAppError(error, 'TOOL_TIMEOUT'))
    return new AppError('INTEGRATION_UNREACHABLE', `url: ${error.message}`, { cause: error });
  if (isAppError(error)) return error;
  const cause = error instanceof Error && error.cause !== undefined ? `: ${messageOf(error.cause)}` : '';
  return new AppError('INTEGRATION_UNREACHABLE', `url: ${messageOf(error)}${cause}`, { cause: error });
}
