import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { DEFAULT_WORKSPACE_ID, type Effects } from '@code-executor/contracts';
import type { ToolPort } from '@code-executor/executions';
import { createAdministration } from './administration.ts';
import { type ApprovalEvent, createApprovals } from './approvals/approvals.ts';
import { createAudit } from './audit/audit.ts';
import { auditApproval } from './audit/audit-approvals.ts';
import { startAuditPurge } from './audit/audit-purge.ts';
import type { Audit } from './audit/port.ts';
import { callTool } from './call-tool.ts';
import { createArgumentValidator } from './calls/argument-validator.ts';
import { createCallRecorder } from './calls/call-recorder.ts';
import { effectsOf } from './calls/effects-of.ts';
import { watchCalls } from './calls/watch-calls.ts';
import { createCatalog } from './catalog/catalog.ts';
import { createCatalogStore } from './catalog/catalog-store.ts';
import { createSnapshotKeeper } from './catalog/snapshot-keeper.ts';
import { createToolResolver } from './catalog/tool-resolver.ts';
import { type VisibleTools, visibleTools } from './catalog/visible-tools.ts';
import { openConnections, secretPathsOf } from './connections/open-connections.ts';
import { discover } from './discovery.ts';
import { createHandoffs } from './executor/handoffs.ts';
import { openExecutor } from './executor/open-executor.ts';
import type { HandoffTables } from './executor/tables.ts';
import { createDocumentIntegrations } from './integrations/document-integrations.ts';
import { createIntegrationAdministration } from './integrations/integration-administration.ts';
import { createIntegrationStore } from './integrations/integration-store.ts';
import { manageStored } from './integrations/manage-stored.ts';
import { openSeal, type Seal } from './integrations/seal.ts';
import { createStoredServers } from './integrations/stored-servers.ts';
import { toolMigrations } from './migrations.ts';
import { createOutboundHttp } from './outbound/outbound-http.ts';
import { createCallLimits } from './policies/call-limits.ts';
import { createPolicies } from './policies/policies.ts';
import { createPolicyAdministration } from './policies/policy-administration.ts';
import type { LocalToolAdministration } from './port.ts';
import { createToolSearch } from './search/tool-search.ts';
import { createSkillStore } from './skills/skill-store.ts';
import { createSkills } from './skills/skills.ts';
import { createBindingCache } from './sources/documents/binding-cache.ts';
import { DOCUMENT_KINDS } from './sources/kinds.ts';
import { SUPERVISION_TIMES } from './sources/mcp/mcp-server.ts';
import { manageMcpServer } from './sources/mcp/mcp-servers.ts';
import { createProcProbe } from './sources/mcp/proc-mount.ts';
import { serverPath } from './sources/mcp/server-path.ts';
import { readServersFile } from './sources/mcp/servers-file.ts';
import { createDocumentReader } from './sources/reading/read-document.ts';
import { createServers } from './sources/servers.ts';
import type { ToolTables } from './tables.ts';
import type { ToolDomainOptions } from './tool-domain-options.ts';

export interface ToolDomain extends ToolPort, LocalToolAdministration {
  /** The record of acts and tool calls. */
  readonly audit: Audit;
  /** Starts every server that is not lazy, all at once, and does not wait for them. */
  start(): void;
  /** Resolves when every started server is ready or broken, and the wrappers hold their tools. @throws the signal's reason. */
  ready(signal: AbortSignal): Promise<void>;
  /** Called when tools have changed and the new snapshot is complete: `snapshotDir` answers with it. */
  onCatalogChange(listener: () => void): void;
  /** Takes over the policies, integrations and tools that other processes on this database have changed. */
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
 * The tool domain of the default workspace: its servers, catalog, policies, search and calls. Runs its migrations and
 * loads what is remembered; no server is started yet.
 * @throws AppError INTEGRATION_INVALID where the servers file as a whole cannot be read.
 */
export async function createToolDomain(options: ToolDomainOptions): Promise<ToolDomain> {
  const { db, log, dataDir, environment = process.env, now = Date.now } = options;
  const workspaceId = DEFAULT_WORKSPACE_ID;
  const serversFile = options.serversFile ?? join(dataDir, 'mcp-servers.json');
  await db.migrate('tools', toolMigrations);
  const tables = db.query<ToolTables>();
  const sealKeyFile = options.sealKeyFile ?? join(dataDir, 'seal.key');
  const seal = await openSeal(sealKeyFile);
  const committed = options.onCommitted ?? (() => undefined);
  const findPrincipal = options.findPrincipal ?? (() => null);
  const audit = createAudit({ db, log, findPrincipal, now });
  const limits = createCallLimits(tables, now);
  const auditPurge = startAuditPurge({ retentionDays: options.auditRetentionDays ?? 180 }, { db, log, now, sweep: limits.sweep });
  const catalogStore = createCatalogStore(tables, workspaceId, committed);
  const catalog = await createCatalog(catalogStore, now);
  const policies = await createPolicies(tables, workspaceId, now);
  const integrations = createIntegrationStore(tables, workspaceId, seal);
  const recorder = createCallRecorder(tables, log, options.fence);
  const listeners: (() => void)[] = [];

  const integrationOf = (slug: string) => {
    const managed = resolver.server(slug);
    return { slug: managed.slug, connected: managed.source?.connected ?? null };
  };
  const outbound = options.outbound ?? createOutboundHttp({ allow: [], strict: false, log });
  const secrets = options.secrets ?? { filesDirs: [], vault: null, cacheMs: 0 };
  const { connections, ...opened } = await openConnections({
    db,
    workspaceId,
    seal,
    log,
    secrets,
    environment,
    outbound,
    integrationOf,
    committed,
  });
  const bwrapPath = options.bwrapPath ?? 'bwrap';
  const path = await serverPath(environment.PATH ?? '/usr/local/bin:/usr/bin:/bin');
  const servers = createServers(log);
  const mcp = {
    catalog,
    host: {
      bwrapPath,
      path,
      home: environment.HOME ?? homedir(),
      tempDir: tmpdir(),
      lang: environment.LANG ?? 'C.UTF-8',
      maskedPaths: [dataDir, serversFile, sealKeyFile, ...secretPathsOf(secrets), ...(options.maskedPaths ?? [])],
      proc: createProcProbe({ bwrapPath, path, log }),
      outbound,
    },
    times: { ...SUPERVISION_TIMES, ...options.times },
    log,
    connections,
    workspaceId,
  };
  for (const parsed of await readServersFile(serversFile, environment)) {
    const managed = manageMcpServer(parsed, mcp);
    if (managed !== null) servers.add(managed);
  }
  const documents = {
    catalog,
    outbound,
    kinds: DOCUMENT_KINDS,
    connections,
    binding: createBindingCache(catalogStore.binding),
    log,
  };
  const stored = createStoredServers({
    integrations,
    servers,
    catalog,
    manage: (integration) => manageStored(integration, { mcp, documents }),
    log,
  });
  await stored.load();
  const skills = createSkills({
    store: createSkillStore(tables, workspaceId, now),
    catalog,
    servers,
    committed,
    visibilityChanged: () => visibilityChanged(),
    settled: () => settled(),
    log,
  });
  await skills.load();
  if (options.shippedSkills === true) await skills.installShipped();
  connections.onChange((changed) => {
    for (const slug of changed) servers.all().get(slug)?.source?.connectionsChanged?.();
  });

  const trusts = () => new Map([...servers.all()].map(([slug, managed]) => [slug, managed.trust]));
  let visible: VisibleTools | null = null;
  const currentlyVisible = (): VisibleTools => {
    visible ??= visibleTools(catalog, policies, trusts());
    return visible;
  };
  const search = createToolSearch(currentlyVisible);
  const tellListeners = (): void => {
    for (const listener of listeners) listener();
  };
  const snapshots = await createSnapshotKeeper(options.wrapperStore, () => currentlyVisible().definitions(), tellListeners, log);
  const visibilityChanged = (): void => {
    visible = null;
    snapshots.changed();
    search.changed();
  };
  catalog.onChange(visibilityChanged);
  search.changed();
  const settled = async (): Promise<void> => {
    await Promise.all([snapshots.settled(), search.settled()]);
  };

  const connectionOf = (integration: string, connection: string | null, id: string): string | null =>
    connections.resolve({ integration, connection, principal: { id, workspaceId } })?.name ?? null;
  const resolver = createToolResolver({
    catalog,
    policies,
    servers,
    visible: currentlyVisible,
    connectionOf,
  });
  const validator = createArgumentValidator((tool, reason) =>
    log.warn({ server: tool.server, tool: tool.name, reason }, 'The arguments of a tool cannot be checked and are passed on as they are'),
  );
  const approvalSettings = {
    ...options.approvals,
    onEvent(event: ApprovalEvent) {
      options.approvals?.onEvent?.(event);
      void auditApproval(event, audit, findPrincipal);
    },
  };
  const approvals = createApprovals(approvalSettings, {
    db: tables,
    seal,
    log,
    now,
    outbound,
    allowAlways: (principal, pattern) => policyAdministration.allowAlways(principal, pattern),
  });
  const callDependencies = {
    findPrincipal,
    limits,
    resolve: resolver.resolve,
    validator,
    recorder,
    approvals,
    seal,
    log,
    tracing: options.tracing,
  };
  const isWatched = options.onCall !== undefined || Boolean(options.tracing);
  const call = isWatched ? watchCalls(callTool, options.onCall ?? (() => undefined)) : callTool;
  const policyAdministration = createPolicyAdministration({
    catalog,
    policies,
    resolver,
    trusts,
    findPrincipal,
    connectionOf,
    audit,
    async changed() {
      committed();
      visibilityChanged();
      await settled();
    },
  });
  const reader = createDocumentReader();
  const documentIntegrations = createDocumentIntegrations({ servers, stored, catalog, outbound, kinds: DOCUMENT_KINDS, reader, log });
  const integrationAdministration = createIntegrationAdministration({
    servers,
    stored,
    integrations,
    documents: documentIntegrations,
    connections,
    catalog,
    resolver,
    visibilityChanged,
    committed,
    settled,
  });
  const administration = createAdministration({
    catalog,
    policyAdministration,
    integrationAdministration,
    servers,
    search,
    resolver,
    visible: currentlyVisible,
    invoke: (toolCall, signal) => call(toolCall, callDependencies, signal),
  });

  const handoffs = createHandoffs({
    db: db.query<HandoffTables>(),
    workspaceId,
    now,
    addConnection: opened.administration.addConnection,
    integrationOf,
  });
  await openExecutor(options.adminTools !== undefined, {
    integrations: integrationAdministration,
    connections: opened.administration,
    policies: policyAdministration,
    rules: policies,
    handoffs,
    servers,
    catalog,
    urlOf: (handoffId) => `${(options.adminTools?.publicUrl ?? '').replace(/\/+$/, '')}/connections/handoffs/${handoffId}`,
    findPrincipal,
    approvals: approvals.store,
    audit,
    log,
  });
  if (options.adminTools !== undefined) visibilityChanged();

  return {
    ...administration,
    ...opened.administration,
    getHandoff: handoffs.getHandoff,
    completeHandoff: handoffs.completeHandoff,
    ...skills.administration,
    audit,
    listApprovals: approvals.listApprovals,
    getApproval: approvals.getApproval,
    decideApproval: approvals.decideApproval,
    whenDecided: (_grant, approvalId, signal) => approvals.whenDecided(approvalId, signal),
    wakeApprovals: approvals.wake,
    cancelApprovalsOf: approvals.cancelOf,
    decidedApprovalsAmong: approvals.store.decidedAmong,
    sealing: seal,
    countPendingApprovals: approvals.countPending,
    callTool: (grant, { callNumber, tool, args, approvalId }, signal) =>
      call(
        {
          workspaceId: grant.workspaceId,
          principalId: grant.principalId,
          execution: { id: grant.executionId, callNumber, token: grant.token, approvalId },
          address: tool,
          args,
          traceparent: grant.traceparent,
        },
        callDependencies,
        signal,
      ),
    async discover(grant, operation, params) {
      const scopes = (await findPrincipal(grant.principalId))?.scopes;
      const principal = { id: grant.principalId, workspaceId: grant.workspaceId, role: 'agent' as const, scopes };
      return discover(operation, params, principal, administration, log);
    },
    snapshotDir: async () => snapshots.dir(),
    start() {
      for (const { source } of servers.all().values()) if (source?.lazy === false) source.start();
    },
    async ready(signal) {
      const up = Promise.all([...servers.all().values()].map((managed) => managed.source?.settled()));
      await Promise.race([up.then(settled), rejectedBy(signal)]);
    },
    async reload() {
      const hasChanged = [await policies.reload(), await stored.reload()].includes(true);
      await connections.reload();
      await catalog.reload();
      const haveSkillsChanged = await skills.load();
      if (hasChanged || haveSkillsChanged) visibilityChanged();
    },
    effectsOf: (executionId) => effectsOf(tables, executionId),
    onCatalogChange: (listener) => void listeners.push(listener),
    async close() {
      documentIntegrations.close();
      await approvals.close();
      await servers.close();
      await opened.close();
      if (options.outbound === undefined) await outbound.close();
      await settled();
      await recorder.close();
      await auditPurge.stop();
      await audit.close();
    },
  };
}

function rejectedBy(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}
