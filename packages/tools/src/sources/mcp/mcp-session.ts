import { messageOf } from '@code-executor/platform';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport, SseError } from '@modelcontextprotocol/sdk/client/sse.js';
import { StreamableHTTPClientTransport, StreamableHTTPError } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { EmptyResultSchema, ErrorCode, McpError, ToolListChangedNotificationSchema } from '@modelcontextprotocol/sdk/types.js';
import { z } from 'zod';
import type { GuardedHttp, OutboundHttp } from '../../outbound/port.ts';
import { type Authorization, authorizedFetch } from './authorization.ts';
import { bubblewrapArguments } from './bubblewrap-arguments.ts';
import type { ProcProbe } from './proc-mount.ts';
import { scrubbedText } from './reply-value.ts';
import { bothScrubs, createScrub, type Scrub } from './secrets.ts';
import type { HttpTransportEntry, McpServerEntry, StdioTransportEntry } from './server-entry.ts';
import { findCommand } from './server-path.ts';
import { createStderrLog, printable } from './stderr-log.ts';
import { createStdioTransport } from './stdio-transport.ts';
import { callerTrace, tracedFetch } from './traced-fetch.ts';

/** What servers are started with and reached by, besides their entries. */
export interface ServerHost {
  readonly bwrapPath: string;
  readonly path: string;
  readonly home: string;
  readonly tempDir: string;
  readonly lang: string;
  readonly maskedPaths: readonly string[];
  readonly proc: ProcProbe;
  readonly outbound: GuardedHttp;
}

export interface SessionEvents {
  onListChanged(): void;
  /** Once, whichever side ended it; `reason` is without secrets. */
  onClosed(reason: string): void;
  /** A line for the log, without secrets. */
  onLine(stream: 'stderr' | 'protocol', line: string, droppedLines: number): void;
}

/** A tool's answer as it came: nothing in it is checked but that it is an object. */
export type RawToolResult = Readonly<Record<string, unknown>>;

/** One initialised connection to an MCP server. Its errors are the SDK's own. */
export interface McpSession {
  listPage(
    cursor: string | undefined,
    signal: AbortSignal,
  ): Promise<{ readonly tools: readonly unknown[]; readonly nextCursor: string | undefined }>;
  /** Aborting, or the timeout, cancels the call upstream. Progress starts the timeout anew, up to ten times its length. */
  call(
    call: {
      readonly name: string;
      readonly args: Readonly<Record<string, unknown>>;
      readonly idempotencyKey: string;
      readonly timeoutMs: number;
      /** Told to the server, so that what it does joins the call's trace. */
      readonly traceparent?: string | undefined;
    },
    signal: AbortSignal,
  ): Promise<RawToolResult>;
  ping(signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/** Where a protocol has a place for it, the call's idempotency key travels under this name. */
const IDEMPOTENCY_META_KEY = 'code-executor/idempotency-key';
const LIST_PAGE_TIMEOUT_MS = 30_000;
const PING_TIMEOUT_MS = 10_000;
const CLIENT_INFO = { name: 'code-executor', version: '0.1.0' };
// Entries are judged one by one later: the SDK's own schema would refuse a whole list for one bad tool.
const pageSchema = z.looseObject({ tools: z.array(z.unknown()), nextCursor: z.string().nullish() });
const resultSchema = z.looseObject({});

/** Connects and initialises. @throws whatever went wrong, with a message without secrets; nothing is left running then. */
export async function openMcpSession(
  entry: McpServerEntry,
  host: ServerHost,
  events: SessionEvents,
  signal: AbortSignal,
  authorization?: Authorization,
): Promise<McpSession> {
  const own = createScrub([...entry.hidden.secrets, ...entry.hidden.privates]);
  const scrub = authorization === undefined ? own : bothScrubs(authorization.scrub, own);
  try {
    return entry.transport.kind === 'stdio'
      ? await openStdio(entry.transport, host, events, scrub, signal)
      : await openHttp(entry.transport, fetchOf(entry, host.outbound, authorization), events, scrub, signal);
  } catch (error) {
    const message = printable(scrubbedText(messageWithCause(error), scrub), 500);
    throw isUnauthorized(error) ? new McpUnauthorized(message) : new Error(message);
  }
}

/** The server wants a credential, or another one. */
export class McpUnauthorized extends Error {}

const isUnauthorized = (error: unknown): boolean =>
  (error instanceof StreamableHTTPError || error instanceof SseError) && (error.code === 401 || error.code === 403);

async function openStdio(
  entry: StdioTransportEntry,
  host: ServerHost,
  events: SessionEvents,
  scrub: Scrub,
  signal: AbortSignal,
): Promise<McpSession> {
  if (process.getuid?.() === 0) throw new Error('stdio servers are not started by root: start the service as its own user');
  if ((await findCommand(host.bwrapPath, host.path, '/')) === null) {
    throw new Error(
      'bubblewrap (bwrap) is not installed, and a server is never started without its sandbox; `deploy.sh doctor` says how to install it',
    );
  }
  const path = entry.env.PATH ?? host.path;
  const cwd = entry.cwd ?? host.home;
  const command = await findCommand(entry.command, path, cwd);
  if (command === null) throw new Error(`command ${entry.command} was not found on the service's PATH`);

  const stderr = createStderrLog({ scrub, now: Date.now, write: (line, dropped) => events.onLine('stderr', line, dropped) });
  const rubbish = createStderrLog({ scrub, now: Date.now, write: (line, dropped) => events.onLine('protocol', line, dropped) });
  const transport = createStdioTransport({
    bwrapPath: host.bwrapPath,
    sandboxArguments: await bubblewrapArguments(entry, {
      env: { HOME: host.home, LANG: host.lang, TMPDIR: host.tempDir, ...entry.env, PATH: path },
      cwd,
      home: host.home,
      maskedPaths: host.maskedPaths,
      proc: await host.proc.mount(),
    }),
    command,
    args: entry.args,
    onStderr: stderr.push,
    onRubbish: (line) => rubbish.push(Buffer.from(`not a JSON-RPC message on stdout: ${line.replaceAll('\n', ' ')}\n`)),
  });
  const ended = (): string => {
    const ending = transport.ending();
    const said = stderr.lastLine();
    return ending === null ? '' : `the process ${ending}${said === '' || ending === 'was stopped' ? '' : `: ${said.slice(0, 300)}`}`;
  };
  try {
    return await initialise(transport, { ...events, onClosed: () => events.onClosed(ended()) }, scrub, signal);
  } catch (error) {
    const ending = ended();
    await transport.close();
    throw ending === '' ? error : new Error(ending);
  }
}

/** The operator's file lists the servers in it; what the API adds opens no more than an admin may. */
function fetchOf(entry: McpServerEntry, outbound: GuardedHttp, authorization: Authorization | undefined): typeof fetch {
  if (entry.transport.kind !== 'http') return outbound.fetch;
  const guarded = guardOf(entry, outbound).fetch;
  const { origin } = new URL(entry.transport.url);
  return tracedFetch(authorization === undefined ? guarded : authorizedFetch(guarded, origin, authorization));
}

/** The way to one remote server. */
export const guardOf = ({ origin, transport }: McpServerEntry, outbound: GuardedHttp): OutboundHttp =>
  transport.kind === 'http' ? outbound.withOrigin(transport.spelledUrl, origin === 'file' ? 'operator' : 'admin') : outbound;

async function openHttp(
  entry: HttpTransportEntry,
  fetch: typeof globalThis.fetch,
  events: SessionEvents,
  scrub: Scrub,
  signal: AbortSignal,
): Promise<McpSession> {
  const url = new URL(entry.url);
  const options = { requestInit: { headers: entry.headers }, fetch };
  const sse = (): Transport => new SSEClientTransport(url, options) as Transport;
  if (entry.mode === 'sse') return initialise(sse(), events, scrub, signal);
  try {
    return await initialise(new StreamableHTTPClientTransport(url, options) as Transport, events, scrub, signal);
  } catch (error) {
    // The rule of the specification: 4xx to the first POST means an older server.
    if (!(error instanceof StreamableHTTPError && [400, 404, 405, 406, 415].includes(error.code ?? 0)) || signal.aborted) throw error;
    try {
      return await initialise(sse(), events, scrub, signal);
    } catch (fallbackError) {
      throw new Error(`${messageWithCause(error)}; as SSE: ${messageWithCause(fallbackError)}`);
    }
  }
}

async function initialise(transport: Transport, events: SessionEvents, scrub: Scrub, signal: AbortSignal): Promise<McpSession> {
  const client = new Client(CLIENT_INFO, {
    capabilities: {},
    // Output schemas are foreign and are not enforced; the SDK's validator would compile every one of them.
    jsonSchemaValidator: { getValidator: () => (input) => ({ valid: true, data: input as never, errorMessage: undefined }) },
  });
  let isOpen = false;
  let lastError = '';
  client.onclose = () => {
    if (!isOpen) return;
    isOpen = false;
    events.onClosed(printable(scrub(lastError), 300));
  };
  client.onerror = (error) => {
    lastError = messageWithCause(error);
    events.onLine('protocol', printable(scrub(lastError), 500), 0);
  };
  client.setNotificationHandler(ToolListChangedNotificationSchema, () => events.onListChanged());
  try {
    await bounded(signal, (inner) => client.connect(transport, { signal: inner, timeout: 24 * 3_600_000 }));
  } catch (error) {
    await client.close();
    throw error;
  }
  isOpen = true;
  return sessionOf(client);
}

function sessionOf(client: Client): McpSession {
  return {
    async listPage(cursor, signal) {
      const params = cursor === undefined ? {} : { cursor };
      try {
        const page = await bounded(signal, (inner) =>
          client.request({ method: 'tools/list', params }, pageSchema, { signal: inner, timeout: LIST_PAGE_TIMEOUT_MS }),
        );
        return { tools: page.tools, nextCursor: page.nextCursor ?? undefined };
      } catch (error) {
        // A server of prompts or resources alone is no broken one.
        const hasTools = client.getServerCapabilities()?.tools !== undefined;
        if (!hasTools && error instanceof McpError && error.code === ErrorCode.MethodNotFound) return { tools: [], nextCursor: undefined };
        throw error;
      }
    },
    call: ({ name, args, idempotencyKey, timeoutMs, traceparent }, signal) => {
      const _meta = { [IDEMPOTENCY_META_KEY]: idempotencyKey, ...(traceparent === undefined ? {} : { traceparent }) };
      const request = (inner: AbortSignal) =>
        client.request({ method: 'tools/call', params: { name, arguments: { ...args }, _meta } }, resultSchema, {
          signal: inner,
          timeout: timeoutMs,
          maxTotalTimeout: timeoutMs * 10,
          resetTimeoutOnProgress: true,
          onprogress: () => undefined,
        });
      return bounded(signal, (inner) => (traceparent === undefined ? request(inner) : callerTrace.run(traceparent, () => request(inner))));
    },
    async ping(signal) {
      await bounded(signal, (inner) => client.request({ method: 'ping' }, EmptyResultSchema, { signal: inner, timeout: PING_TIMEOUT_MS }));
    },
    async close() {
      await client.close();
    },
  };
}

/**
 * Runs one request under a signal of its own. The SDK never takes its listener off the signal it is given, and cancels
 * upstream even what was answered long ago.
 */
async function bounded<Result>(signal: AbortSignal, request: (inner: AbortSignal) => Promise<Result>): Promise<Result> {
  signal.throwIfAborted();
  const own = new AbortController();
  const abort = (): void => own.abort(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await request(own.signal);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

/** `fetch failed` says nothing; its cause does. Nor does an empty answer; its status does. */
export function messageWithCause(error: unknown): string {
  const message = messageOf(error);
  if (error instanceof StreamableHTTPError && (error.code ?? 0) > 0) return `${message.replace(/:\s*$/, '')} (HTTP ${error.code})`;
  const cause = error instanceof Error && error.cause !== undefined ? messageOf(error.cause) : '';
  return cause === '' || message.includes(cause) ? message : `${message}: ${cause}`;
}
