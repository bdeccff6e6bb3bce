import { hash } from 'node:crypto';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { DEFAULT_WORKSPACE_ID, type Effects, type Principal } from '@code-executor/contracts';
import type { ToolPort } from '@code-executor/executions';
import { isAppError } from '@code-executor/platform';
import { type ApprovalEvent, createApprovals } from './approvals/approvals.ts';
import { createAudit } from './audit/audit.ts';
import { auditApproval } from './audit/audit-approvals.ts';
import { startAuditPurge } from './audit/audit-purge.ts';
import type { Audit } from './audit/port.ts';
import { callTool } from './call-tool.ts';
import { type CallRecorder, createCallRecorder } from './calls/call-recorder.ts';
import { effectsOf } from './calls/effects-of.ts';
import { watchCalls } from './calls/watch-calls.ts';
import { secretPathsOf } from './connections/open-connections.ts';
import type { ConnectionTables } from './connections/tables.ts';
import { openSeal, type Seal } from './integrations/seal.ts';
import { toolMigrations } from './migrations.ts';
import { createOutboundHttp } from './outbound/outbound-http.ts';
import { createCallLimits } from './policies/call-limits.ts';
import type { Awaitable, ToolAdministration, ToolsSummary } from './port.ts';
import { createProcProbe } from './sources/mcp/proc-mount.ts';
import { failure } from './sources/mcp/reply-value.ts';
import { serverPath } from './sources/mcp/server-path.ts';
import { createDocumentReader } from './sources/reading/read-document.ts';
import type { ToolTables } from './tables.ts';
import type { ToolDomainOptions } from './tool-domain-options.ts';
import { delegatedAdministration } from './workspaces/delegated-administration.ts';
import { createOpenWorkspaces } from './workspaces/open-workspaces.ts';
import type { SharedTools } from './workspaces/shared-tools.ts';
import { openWorkspaceTools } from './workspaces/workspace-tools.ts';

export interface ToolDomain extends ToolPort, Omit<ToolAdministration, 'summary'> {
  summary(principal?: null): ToolsSummary;
  summary(principal: Principal): Awaitable<ToolsSummary>;
  /** The record of acts and tool calls. */
  readonly audit: Audit;
  /** Starts every server that is not lazy, all at once, and does not wait for them. */
  start(): void;
  /** Resolves when every started server is ready or broken, and the wrappers hold their tools. @throws the signal's reason. */
  ready(signal: AbortSignal): Promise<void>;
  /** Called when tools have changed and the new snapshot is complete: `snapshotDir` answers with it. */
  onCatalogChange(listener: (workspaceId: string) => void): void;
  /** The newest wrappers of every workspace that is open, the home one's first. */
  snapshotDirs(): string[];
  /** Takes over the policies, integrations and tools that other processes on this database have changed, and lets go of workspaces that were removed. */
  reload(): Promise<void>;
  /** Another process says that these approvals are pending no more. */
  wakeApprovals(approvalIds: readonly string[]): void;
  /** Nothing that waits for a person in this execution will be called any more. */
  cancelApprovalsOf(executionId: string, reason: string): Promise<void>;
  /** Which of these are pending no more. */
  decidedApprovalsAmong(approvalIds: readonly string[]): Promise<string[]>;
  /** Of the key that credentials are sealed with. */
  readonly sealing: Pick<Seal, 'seal' | 'open'>;
  countPendingApprovals(): Promise<number>;
  /** What an execution did through tools, by the journal: for one whose process died. */
  effectsOf(executionId: string): Promise<Exclude<Effects, 'not_started'>>;
  close(): Promise<void>;
}

/**
 * The tools of all workspaces: the home one's from the start, another's from when they are needed. Runs the migrations and loads what is
 * remembered; no server is started yet.
 * @throws AppError INTEGRATION_INVALID where the servers file as a whole cannot be read.
 */
export async function createToolDomain(options: ToolDomainOptions): Promise<ToolDomain> {
  const { db, log, dataDir, environment = process.env, now = Date.now } = options;
  const serversFile = options.serversFile ?? join(dataDir, 'mcp-servers.json');
  await db.migrate('tools', toolMigrations);
  const tables = db.query<ToolTables>();
  const sealKeyFile = options.sealKeyFile ?? join(dataDir, 'seal.key');
  const seal = await openSeal(sealKeyFile);
  const findPrincipal = options.findPrincipal ?? (() => null);
  const audit = createAudit({ db, log, findPrincipal, now });
  const limits = createCallLimits(tables, now);
  const auditPurge = startAuditPurge({ retentionDays: options.auditRetentionDays ?? 180 }, { db, log, now, sweep: limits.sweep });
  const recorder = createCallRecorder(tables, log, { fence: options.fence, endsWaitMs: db.kind === 'pglite' ? ENDS_WAIT_MS : 0 });
  const listeners: ((workspaceId: string) => void)[] = [];
  const outbound = options.outbound ?? createOutboundHttp({ allow: [], strict: false, log });
  const bwrapPath = options.bwrapPath ?? 'bwrap';
  const path = await serverPath(environment.PATH ?? '/usr/local/bin:/usr/bin:/bin');
  const secretPaths = options.secrets === undefined ? [] : secretPathsOf(options.secrets);
  const approvals = createApprovals(
    {
      ...options.approvals,
      onEvent(event: ApprovalEvent) {
        options.approvals?.onEvent?.(event);
        void auditApproval(event, audit, findPrincipal);
      },
    },
    {
      db: tables,
      seal,
      log,
      now,
      outbound,
      allowAlways: (principal, pattern) => at(principal.workspaceId, (tools) => tools.allowAlways(principal, pattern)),
    },
  );
  const isWatched = options.onCall !== undefined || Boolean(options.tracing);
  const shared: SharedTools = {
    seal,
    audit,
    limits,
    recorder,
    approvals,
    reader: createDocumentReader({ plugins: options.sourceKinds?.plugins }),
    outbound,
    host: {
      bwrapPath,
      path,
      home: environment.HOME ?? homedir(),
      tempDir: tmpdir(),
      lang: environment.LANG ?? 'C.UTF-8',
      maskedPaths: [dataDir, serversFile, sealKeyFile, ...secretPaths, ...(options.maskedPaths ?? [])],
      proc: createProcProbe({ bwrapPath, path, log }),
    },
    findPrincipal,
    call: isWatched ? watchCalls(callTool, options.onCall ?? (() => undefined)) : callTool,
    now,
    committed: options.onCommitted ?? (() => undefined),
  };
  const open = (workspaceId: string) =>
    openWorkspaceTools(workspaceId, { ...options, serversFile }, shared, () => {
      for (const listener of listeners) listener(workspaceId);
    });
  const home = await open(DEFAULT_WORKSPACE_ID);
  const workspaces = createOpenWorkspaces(options.workspaces ?? {}, {
    open,
    exists: async (workspaceId) => (await options.workspaces?.exists(workspaceId)) ?? false,
    log,
  });
  const at = <Answer>(workspaceId: string, act: (tools: typeof home) => Promise<Answer>): Promise<Answer> =>
    workspaceId === DEFAULT_WORKSPACE_ID ? act(home) : workspaces.use(workspaceId, act);

  /** The state that the browser brings back names the consent page, and its row the workspace. */
  async function workspaceOfConsent({ state }: Readonly<Record<string, string>>): Promise<string | null> {
    if (state === undefined) return null;
    const row = await db
      .query<ConnectionTables>()
      .selectFrom('authorization_attempts')
      .select('workspace_id')
      .where('state_hash', '=', hash('sha256', state))
      .executeTakeFirst();
    return row?.workspace_id ?? null;
  }

  function summary(principal?: null): ToolsSummary;
  function summary(principal: Principal): Awaitable<ToolsSummary>;
  function summary(principal: Principal | null = null): Awaitable<ToolsSummary> {
    const workspaceId = principal?.workspaceId ?? DEFAULT_WORKSPACE_ID;
    return workspaceId === DEFAULT_WORKSPACE_ID ? home.summary() : workspaces.use(workspaceId, (tools) => tools.summary());
  }

  return {
    summary,
    ...delegatedAdministration(home, workspaces, workspaceOfConsent),
    audit: settledAudit(audit, recorder),
    listApprovals: approvals.listApprovals,
    getApproval: approvals.getApproval,
    decideApproval: approvals.decideApproval,
    whenDecided: (_grant, approvalId, signal) => approvals.whenDecided(approvalId, signal),
    wakeApprovals: approvals.wake,
    cancelApprovalsOf: approvals.cancelOf,
    decidedApprovalsAmong: approvals.store.decidedAmong,
    sealing: seal,
    countPendingApprovals: approvals.countPending,
    callTool(grant, call, signal) {
      if (grant.workspaceId === DEFAULT_WORKSPACE_ID) return home.callTool(grant, call, signal);
      return answered(
        workspaces.use(grant.workspaceId, (tools) => tools.callTool(grant, call, signal)),
        (reply) => ({ reply, effects: 'none' }),
      );
    },
    discover(grant, operation, params) {
      if (grant.workspaceId === DEFAULT_WORKSPACE_ID) return home.discover(grant, operation, params);
      return answered(
        workspaces.use(grant.workspaceId, (tools) => tools.discover(grant, operation, params)),
        (reply) => reply,
      );
    },
    snapshotDir: (workspaceId) => at(workspaceId, async (tools) => tools.snapshotDir()),
    snapshotDirs: () => [home, ...workspaces.all()].map((tools) => tools.snapshotDir()),
    start: home.start,
    ready: home.ready,
    async reload() {
      await home.reload();
      await workspaces.reload();
    },
    effectsOf: (executionId) => effectsOf(tables, executionId),
    onCatalogChange: (listener) => void listeners.push(listener),
    async close() {
      await approvals.close();
      await workspaces.close();
      await home.close();
      if (options.outbound === undefined) await outbound.close();
      await recorder.close();
      await auditPurge.stop();
      await audit.close();
    },
  };
}

/** A short program has ended by then, and its answer is out. */
const ENDS_WAIT_MS = 10;

/** The record as it is read in this process: with the ends of calls that have been answered. */
function settledAudit(audit: Audit, recorder: Pick<CallRecorder, 'settled'>): Audit {
  return {
    ...audit,
    async list(workspaceId, filter, page) {
      await recorder.settled();
      return await audit.list(workspaceId, filter, page);
    },
    async *export(workspaceId, filter, signal) {
      await recorder.settled();
      yield* audit.export(workspaceId, filter, signal);
    },
  };
}

/** A program that calls a tool is told what is wrong with its workspace like anything else. */
async function answered<Answer>(asked: Promise<Answer>, refused: (reply: ReturnType<typeof failure>) => Answer): Promise<Answer> {
  try {
    return await asked;
  } catch (error) {
    if (!isAppError(error)) throw error;
    return refused(failure(error.code, error.message, error.details));
  }
}
