import { AppError } from '@code-executor/platform';
import type { SourceState } from '../source.ts';
import type { Authorization } from './authorization.ts';
import { coalesce } from './coalesce.ts';
import { listAllTools, type ToolList } from './list-tools.ts';
import { type McpSession, McpUnauthorized, messageWithCause, openMcpSession, type ServerHost } from './mcp-session.ts';
import { scrubbedText } from './reply-value.ts';
import { bothScrubs, createScrub } from './secrets.ts';
import type { McpServerEntry } from './server-entry.ts';
import { printable } from './stderr-log.ts';

export interface SupervisionTimes {
  readonly startTimeoutMs: number;
  readonly backoffFirstMs: number;
  readonly backoffMostMs: number;
  /** After so long without a fault the back-off begins anew. */
  readonly stableMs: number;
  readonly pingEveryMs: number;
  readonly listGapMs: number;
  /** A call waits for a restart that is due this soon instead of failing at once. */
  readonly patienceMs: number;
  /** How long a call waits for a server that was broken before: the program has other things to do with its time. */
  readonly restartWaitMs: number;
}

export const SUPERVISION_TIMES: SupervisionTimes = {
  startTimeoutMs: 30_000,
  backoffFirstMs: 1_000,
  backoffMostMs: 60_000,
  stableMs: 60_000,
  pingEveryMs: 30_000,
  listGapMs: 250,
  patienceMs: 2_000,
  restartWaitMs: 10_000,
};

export interface ServerLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

export interface McpServerDependencies {
  readonly host: ServerHost;
  readonly times: SupervisionTimes;
  readonly log: ServerLog;
  /** For a remote server: the credential of its supervised session. */
  readonly authorization?: Authorization | undefined;
  /** The server's list as it now stands. The server counts as ready once this resolves. */
  onTools(list: ToolList): Promise<void>;
}

/** One supervised MCP server: `idle → starting → ready ⇄ broken`, `stopped` from anywhere. */
export interface McpServer {
  readonly entry: McpServerEntry;
  state(): SourceState;
  /** Begins to start it, if it is neither up nor starting. Does not wait. */
  start(): void;
  /** Resolves when no start is under way. Never rejects. */
  settled(): Promise<void>;
  /** The live session, started where needed. @throws AppError UPSTREAM_UNAVAILABLE; the signal's reason when it is aborted. */
  session(signal: AbortSignal): Promise<McpSession>;
  /** The HTTP session is known to be gone: connect anew. */
  reconnect(reason: string): void;
  /** Lists the tools again. */
  relist(signal: AbortSignal): Promise<void>;
  /** Ends the process and all supervision. Never rejects. */
  stop(): Promise<void>;
}

/** Begins the reason of a server that answers 401 or 403. */
const CREDENTIAL_ADVICE = 'wants a credential, or another one (POST /connections)';

type Phase =
  | { readonly name: 'idle' }
  /** `after`: why it was broken before, so that a server that falls again and again says so all the time. */
  | { readonly name: 'starting'; readonly settled: Promise<void>; readonly after: string | null }
  | { readonly name: 'ready'; readonly session: McpSession; readonly since: number; readonly scope: AbortController }
  | { readonly name: 'broken'; readonly reason: string; readonly retryAt: number; readonly timer: NodeJS.Timeout }
  | { readonly name: 'stopped' };

export function createMcpServer(entry: McpServerEntry, { host, times, log, onTools, authorization }: McpServerDependencies): McpServer {
  let phase: Phase = { name: 'idle' };
  let failures = 0;
  let restarts = 0;
  let endings: Promise<void> = Promise.resolve();
  const life = new AbortController();
  const own = createScrub([...entry.hidden.secrets, ...entry.hidden.privates]);
  const scrub = authorization === undefined ? own : bothScrubs(authorization.scrub, own);
  let wantsCredential = false;
  const reasonOf = (error: unknown): string => printable(scrubbedText(messageWithCause(error), scrub), 500);
  const closeQuietly = (session: McpSession): Promise<void> =>
    session
      .close()
      .catch((error: unknown) => log.warn({ server: entry.slug, reason: reasonOf(error) }, 'MCP session did not close cleanly'));

  const enter = (next: Phase): void => {
    if (phase.name === 'stopped') return;
    phase = next;
  };

  function start(): void {
    if (phase.name === 'starting' || phase.name === 'ready' || phase.name === 'stopped') return;
    const after = phase.name === 'broken' ? phase.reason : null;
    if (phase.name === 'broken') {
      clearTimeout(phase.timer);
      restarts += 1;
    }
    // Begins in a later turn: `open` ends by entering another phase, which must come after this one.
    enter({ name: 'starting', settled: Promise.resolve().then(open), after });
  }

  async function open(): Promise<void> {
    const began = Date.now();
    const scope = new AbortController();
    const signal = AbortSignal.any([life.signal, scope.signal, AbortSignal.timeout(times.startTimeoutMs)]);
    const relisting = coalesce(() => listAgain(scope.signal), times.listGapMs, scope.signal);
    let session: McpSession | null = null;
    let lost: string | null = null;
    try {
      // The predecessor's process may hold the port or the file that this one needs.
      await endings;
      session = await openMcpSession(
        entry,
        host,
        {
          onListChanged: () => relisting.trigger(),
          onClosed: (reason) => {
            lost = reason || 'the connection was closed';
            scope.abort(new Error(lost));
            if (phase.name === 'ready' && phase.scope === scope) breakDown(lost);
          },
          onLine: (stream, line, droppedLines) =>
            log[stream === 'stderr' ? 'info' : 'warn']({ server: entry.slug, stream, ...(droppedLines > 0 ? { droppedLines } : {}) }, line),
        },
        signal,
        authorization,
      );
      wantsCredential = false;
      await onTools(await listAllTools(entry.slug, session, signal));
      signal.throwIfAborted();
      enter({ name: 'ready', session, since: Date.now(), scope });
      log.info({ server: entry.slug, startMs: Date.now() - began }, 'MCP server is ready');
      void watch(session, scope);
    } catch (error) {
      const timedOut = Date.now() - began >= times.startTimeoutMs && !scope.signal.aborted;
      scope.abort();
      if (session !== null) await closeQuietly(session);
      wantsCredential = error instanceof McpUnauthorized;
      breakDown(
        lost ??
          (wantsCredential
            ? `${CREDENTIAL_ADVICE}: ${reasonOf(error)}`
            : timedOut
              ? `did not finish starting within ${times.startTimeoutMs / 1000} s`
              : reasonOf(error)),
      );
    }
  }

  function breakDown(reason: string): void {
    if (phase.name === 'stopped' || life.signal.aborted) return;
    if (phase.name === 'ready') {
      if (Date.now() - phase.since >= times.stableMs) failures = 0;
      phase.scope.abort(new Error(reason));
      endings = closeQuietly(phase.session);
    }
    const ceiling = Math.min(times.backoffMostMs, times.backoffFirstMs * 2 ** failures);
    failures += 1;
    // Jitter keeps servers that fell together from starting together.
    const delayMs = ceiling * (0.75 + Math.random() * 0.5);
    const timer = setTimeout(start, delayMs);
    log.warn({ server: entry.slug, reason, retryInMs: Math.round(delayMs) }, 'MCP server is broken');
    enter({ name: 'broken', reason, retryAt: Date.now() + delayMs, timer });
  }

  /** Two unanswered pings in a row end the session. */
  async function watch(session: McpSession, scope: AbortController): Promise<void> {
    const signal = AbortSignal.any([life.signal, scope.signal]);
    let unanswered = 0;
    while (!signal.aborted) {
      await pause(times.pingEveryMs, signal);
      if (signal.aborted) return;
      try {
        await session.ping(signal);
        unanswered = 0;
      } catch (error) {
        if (signal.aborted) return;
        // A server that does not know `ping` has answered all the same.
        unanswered = isMethodNotFound(error) ? 0 : unanswered + 1;
        if (unanswered >= 2 && phase.name === 'ready' && phase.session === session) breakDown(`does not answer pings: ${reasonOf(error)}`);
      }
    }
  }

  async function listAgain(signal: AbortSignal): Promise<void> {
    if (phase.name !== 'ready') return;
    try {
      await onTools(await listAllTools(entry.slug, phase.session, AbortSignal.any([signal, life.signal])));
    } catch (error) {
      if (!signal.aborted && !life.signal.aborted)
        log.warn({ server: entry.slug, reason: reasonOf(error) }, 'The tools of an MCP server could not be listed again');
    }
  }

  function unavailable(): AppError {
    const { state, reason } = view();
    const advice = 'It is started again by itself; the operator sees how it is with GET /integrations';
    return new AppError('UPSTREAM_UNAVAILABLE', `${entry.slug} is ${state}${reason === null ? '' : `: ${reason}`}. ${advice}`, {
      details: { server: entry.slug, state, reason },
    });
  }

  function view(): ReturnType<McpServer['state']> {
    const reason = phase.name === 'broken' ? phase.reason : phase.name === 'starting' ? phase.after : null;
    // One that falls again and again does not look well in between.
    const state = phase.name === 'starting' && phase.after !== null ? 'broken' : phase.name;
    return { state, reason, restarts, wantsCredential: wantsCredential && state === 'broken' };
  }

  return {
    entry,
    state: view,
    start,
    settled: async () => {
      if (phase.name === 'starting') await phase.settled;
    },
    async session(signal) {
      if (phase.name === 'ready') return phase.session;
      if (phase.name === 'idle' || (phase.name === 'broken' && phase.retryAt - Date.now() <= times.patienceMs)) start();
      if (phase.name === 'starting') await untilAborted(phase.settled, signal, phase.after === null ? null : times.restartWaitMs);
      // Read anew: the wait has changed it.
      const now = phase as Phase;
      if (now.name === 'ready') return now.session;
      throw unavailable();
    },
    reconnect(reason) {
      if (phase.name === 'ready') breakDown(reason);
    },
    async relist(signal) {
      const session = await this.session(signal);
      await onTools(await listAllTools(entry.slug, session, AbortSignal.any([signal, life.signal])));
    },
    async stop() {
      const last = phase;
      life.abort(new AppError('SHUTTING_DOWN', `${entry.slug} is being stopped`));
      enter({ name: 'stopped' });
      if (last.name === 'broken') clearTimeout(last.timer);
      if (last.name === 'starting') await last.settled;
      if (last.name === 'ready') {
        last.scope.abort();
        await closeQuietly(last.session);
      }
      await endings;
    },
  };
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  const stop = (): void => resolve();
  signal.addEventListener('abort', stop, { once: true });
  await promise;
  clearTimeout(timer);
  signal.removeEventListener('abort', stop);
}

/** Rejects when the signal aborts; resolves with `wait`, or without it when `mostMs` have passed. */
async function untilAborted(wait: Promise<void>, signal: AbortSignal, mostMs: number | null): Promise<void> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const abort = (): void => reject(signal.reason);
  const timer = mostMs === null ? undefined : setTimeout(resolve, mostMs);
  signal.addEventListener('abort', abort, { once: true });
  try {
    await Promise.race([wait, promise]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', abort);
  }
}

const isMethodNotFound = (error: unknown): boolean => error instanceof Error && 'code' in error && error.code === -32_601;
