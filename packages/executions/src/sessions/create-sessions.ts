import type { Readable } from 'node:stream';
import { AppError, isAppError, type Logger } from '@code-executor/platform';
import { type KeptSandbox, keepSandbox, type Sandbox } from '@code-executor/sandbox';
import type { ClaimedExecution } from '../execution.ts';
import { createLosses } from './losses.ts';
import { noRoomForSession, otherLanguage, sessionBusy, sessionLost, sessionNotFound, tooManySessions } from './refusals.ts';
import { listSessionFiles, readSessionFile, writeSessionFile } from './session-files.ts';
import { keyOf, type SessionOwner, type SessionRows } from './session-rows.ts';
import type { SessionFile, SessionSummary } from './sessions.ts';

export interface SessionSettings {
  /** null: somebody else says when a session was idle for too long. */
  readonly idleSeconds: number | null;
  /** Sandboxes that may be kept, in all and of one principal. */
  readonly maximum: number;
  readonly maximumOfPrincipal: number;
}

export interface SessionsDependencies {
  readonly rows: SessionRows;
  readonly log: Logger;
  readonly now: () => number;
  /** One has ended without its principal's wish. */
  readonly onLost?: ((owner: SessionOwner, reason: string) => void) | undefined;
}

type SessionExecution = Pick<ClaimedExecution, 'id' | 'workspaceId' | 'principalId' | 'language' | 'sessionId' | 'session'>;

export interface SessionsService {
  /** Holds the session for one execution until the answer is called. Throws SESSION_BUSY, SESSION_LIMIT or INVALID_REQUEST. */
  reserve(execution: SessionExecution): () => void;
  /**
   * Runs `act` in the session's sandbox, the one of its last execution or a claimed one. What its outcome does not leave
   * `kept` ends the session. Throws SESSION_LOST, once, where the session ended since its last execution.
   */
  run<Outcome extends { readonly kept?: boolean | undefined; readonly error: { readonly code: string } | null }>(
    execution: SessionExecution,
    claim: () => Promise<{ readonly sandbox: Sandbox; readonly warm: boolean }>,
    signal: AbortSignal,
    act: (sandbox: Sandbox, nextChannel: string, warm: boolean) => Promise<Outcome>,
  ): Promise<Outcome>;
  /** What the last process held is lost. Call it before the first execution. */
  start(): Promise<void>;
  close(): Promise<void>;

  /** Those that are here, whoever they belong to. */
  all(): readonly (SessionOwner & { readonly isBusy: boolean })[];
  /** Whether a sandbox is kept, and why not. */
  stateOf(owner: SessionOwner): { readonly isKept: boolean; readonly lost: string | null };
  /** Ends one without its principal's wish, be it in use or not; its next execution tells. */
  lose(owner: SessionOwner, reason: string): void;
  list(of: Omit<SessionOwner, 'sessionId'>): SessionSummary[];
  /** Throws SESSION_NOT_FOUND or SESSION_BUSY, as do the others. */
  end(owner: SessionOwner): Promise<void>;
  files(owner: SessionOwner): SessionFile[];
  readFile(owner: SessionOwner, path: string): { readonly bytes: number; readonly content: Readable };
  writeFile(owner: SessionOwner, path: string, content: Readable): Promise<SessionFile>;
}

interface Session extends SessionOwner {
  readonly language: string;
  readonly createdAt: Date;
  lastUsedAt: Date;
  executions: number;
  /** The execution, or the transfer of a file, that has it now. */
  holder: string | null;
  kept: KeptSandbox | null;
  idle: NodeJS.Timeout | undefined;
}

/** Sessions of this process. A sandbox of one belongs to the principal that began it, whatever others call theirs. */
export function createSessions(settings: SessionSettings, { rows, log, now, onLost }: SessionsDependencies): SessionsService {
  const { idleSeconds } = settings;
  const sessions = new Map<string, Session>();
  const losses = createLosses(rows);

  const lose = (session: Session, reason: string): void => {
    const { kept } = session;
    if (kept === null) return;
    session.kept = null;
    clearTimeout(session.idle);
    kept.kill();
    losses.note(session, reason);
    if (session.holder === null) sessions.delete(keyOf(session));
    log.info({ sessionId: session.sessionId, principalId: session.principalId, reason }, 'A session has ended');
    onLost?.(session, reason);
  };
  const hold = (session: Session, holder: string): (() => void) => {
    if (session.holder !== null) throw sessionBusy(session.sessionId);
    session.holder = holder;
    clearTimeout(session.idle);
    return () => {
      if (session.holder !== holder) return;
      session.holder = null;
      session.lastUsedAt = new Date(now());
      if (session.kept === null) sessions.delete(keyOf(session));
      else if (idleSeconds !== null) {
        const expire = (): void => lose(session, `nobody used it for ${idleSeconds} seconds`);
        session.idle = setTimeout(expire, idleSeconds * 1_000).unref();
      }
    };
  };
  const open = (owner: SessionOwner, language: string): Session => {
    const ofPrincipal = [...sessions.values()].filter((each) => isOf(each, owner)).length;
    if (ofPrincipal >= settings.maximumOfPrincipal) throw tooManySessions('This principal has', settings.maximumOfPrincipal);
    if (sessions.size >= settings.maximum) throw tooManySessions('This service keeps', settings.maximum);
    const at = new Date(now());
    const session: Session = {
      ...owner,
      language,
      createdAt: at,
      lastUsedAt: at,
      executions: 0,
      holder: null,
      kept: null,
      idle: undefined,
    };
    sessions.set(keyOf(owner), session);
    return session;
  };
  /** The session as its principal may look at it. */
  const find = (owner: SessionOwner): Session & { readonly kept: KeptSandbox } => {
    const session = sessions.get(keyOf(owner));
    if (session === undefined) throw sessionNotFound(owner.sessionId);
    if (session.holder !== null || session.kept === null) throw sessionBusy(owner.sessionId);
    return session as Session & { readonly kept: KeptSandbox };
  };
  const begin = async (session: Session, sandbox: Sandbox): Promise<KeptSandbox> => {
    const kept = keepSandbox(sandbox);
    if (kept === null) {
      sandbox.kill();
      throw new AppError('SANDBOX_UNAVAILABLE', 'This host does not let the service look into its sandboxes, so none can be kept.');
    }
    session.kept = kept;
    void kept.ended.then(() => {
      // Whoever runs something in it says how it ended.
      if (session.kept === kept && session.holder === null) lose(session, 'its sandbox has ended');
    });
    await rows.add(session, session.createdAt);
    return kept;
  };
  const reserve = (execution: SessionExecution): (() => void) => {
    const owner = ownerOf(execution);
    const session = sessions.get(keyOf(owner)) ?? open(owner, execution.language);
    if (session.language !== execution.language) throw otherLanguage(owner.sessionId, session.language, execution.language);
    return hold(session, execution.id);
  };

  return {
    reserve,
    async run(execution, claim, signal, act) {
      const owner = ownerOf(execution);
      // Of one that was queued when the last process ended nobody has reserved anything here.
      const release = sessions.get(keyOf(owner))?.holder === execution.id ? null : reserve(execution);
      const session = sessions.get(keyOf(owner));
      try {
        if (session === undefined) throw sessionNotFound(owner.sessionId);
        const lost = execution.session?.lost ?? (await losses.take(owner));
        if (lost !== null) throw sessionLost(owner.sessionId, lost);
        if (execution.session?.isRefused === true) throw noRoomForSession();
        const claimed = session.kept === null ? await claim() : null;
        const kept = claimed === null ? (session.kept as KeptSandbox) : await begin(session, claimed.sandbox);
        const sandbox = claimed === null ? await kept.wake(signal) : kept.first;
        session.executions += 1;
        const outcome = await act(sandbox, kept.nextChannel, claimed?.warm ?? true);
        if (outcome.kept !== true) lose(session, `its last execution ended with ${outcome.error?.code ?? 'the end of its interpreter'}`);
        else if (!(await kept.rest())) lose(session, 'what its last execution left running could not be ended');
        return outcome;
      } catch (error) {
        if (session !== undefined) lose(session, 'its last execution could not be run to its end');
        // Whoever hears of it now has heard.
        if (isAppError(error, 'SESSION_LOST')) await losses.take(owner);
        throw error;
      } finally {
        release?.();
      }
    },
    async start() {
      for (const owner of await rows.all()) losses.note(owner, 'the service was started anew');
    },
    async close() {
      for (const session of sessions.values()) {
        clearTimeout(session.idle);
        session.kept?.kill();
      }
      await Promise.all([...sessions.values()].map(({ kept }) => kept?.ended));
    },

    all: () =>
      [...sessions.values()].map(({ workspaceId, principalId, sessionId, incarnation, holder }) => ({
        ...{ workspaceId, principalId, sessionId, incarnation },
        isBusy: holder !== null,
      })),
    stateOf: (owner) => ({ isKept: (sessions.get(keyOf(owner))?.kept ?? null) !== null, lost: losses.reason(owner) }),
    lose(owner, reason) {
      const session = sessions.get(keyOf(owner));
      if (session !== undefined) lose(session, reason);
    },
    list: (whose) =>
      [...sessions.values()]
        .filter((session) => isOf(session, whose))
        .map(({ sessionId, language, createdAt, lastUsedAt, executions, holder }) => ({
          sessionId,
          language,
          status: holder === null ? ('idle' as const) : ('busy' as const),
          createdAt: createdAt.toISOString(),
          expiresAt: holder !== null || idleSeconds === null ? null : new Date(lastUsedAt.getTime() + idleSeconds * 1_000).toISOString(),
          executions,
        })),
    async end(owner) {
      if (sessions.has(keyOf(owner))) {
        const { kept } = find(owner);
        sessions.delete(keyOf(owner));
        kept.kill();
        await kept.ended;
        await losses.take(owner);
      } else if ((await losses.take(owner)) === null) throw sessionNotFound(owner.sessionId);
    },
    files: (owner) => listSessionFiles(find(owner).kept.workspace.fd),
    readFile: (owner, path) => readSessionFile(find(owner).kept.workspace.fd, path),
    async writeFile(owner, path, content) {
      const session = find(owner);
      const release = hold(session, `upload of ${path}`);
      try {
        return await writeSessionFile(session.kept.workspace.fd, path, content);
      } finally {
        release();
      }
    },
  };
}

const isOf = (session: Session, { workspaceId, principalId }: Omit<SessionOwner, 'sessionId'>): boolean =>
  session.workspaceId === workspaceId && session.principalId === principalId;

const ownerOf = ({ workspaceId, principalId, sessionId = '', session }: SessionExecution): SessionOwner => ({
  workspaceId,
  principalId,
  sessionId,
  incarnation: session?.incarnation,
});
