import { DEFAULT_WORKSPACE_ID } from '@code-executor/contracts';
import type { ToolPort } from '@code-executor/executions';
import { createAdministration } from '../administration.ts';
import type { ApprovalsAdministration } from '../approvals/port.ts';
import { createArgumentValidator } from '../calls/argument-validator.ts';
import { createCatalog } from '../catalog/catalog.ts';
import { createCatalogStore } from '../catalog/catalog-store.ts';
import { createSnapshotKeeper } from '../catalog/snapshot-keeper.ts';
import { createToolResolver } from '../catalog/tool-resolver.ts';
import { type VisibleTools, visibleTools } from '../catalog/visible-tools.ts';
import { openConnections } from '../connections/open-connections.ts';
import { discover } from '../discovery.ts';
import { createHandoffs } from '../executor/handoffs.ts';
import { openExecutor } from '../executor/open-executor.ts';
import type { HandoffTables } from '../executor/tables.ts';
import { createDocumentIntegrations } from '../integrations/document-integrations.ts';
import { createIntegrationAdministration } from '../integrations/integration-administration.ts';
import { createIntegrationStore } from '../integrations/integration-store.ts';
import { manageStored } from '../integrations/manage-stored.ts';
import { createStoredServers } from '../integrations/stored-servers.ts';
import { createPolicies } from '../policies/policies.ts';
import { createPolicyAdministration, type LocalPolicyAdministration } from '../policies/policy-administration.ts';
import type { LocalToolAdministration } from '../port.ts';
import { createToolSearch } from '../search/tool-search.ts';
import { createSkillStore } from '../skills/skill-store.ts';
import { createSkills } from '../skills/skills.ts';
import { createBindingCache } from '../sources/documents/binding-cache.ts';
import { SUPERVISION_TIMES } from '../sources/mcp/mcp-server.ts';
import { manageMcpServer } from '../sources/mcp/mcp-servers.ts';
import { readServersFile } from '../sources/mcp/servers-file.ts';
import { BUILT_IN_KINDS } from '../sources/plugins.ts';
import { createServers } from '../sources/servers.ts';
import type { ToolTables } from '../tables.ts';
import type { ToolDomainOptions } from '../tool-domain-options.ts';
import type { SharedTools } from './shared-tools.ts';
import { restrictionsOf } from './workspace-restrictions.ts';

/** The tools of one workspace: its servers, catalog, policies, connections, search and calls. */
export interface WorkspaceTools
  extends Omit<LocalToolAdministration, keyof ApprovalsAdministration>,
    Required<Pick<ToolPort, 'callTool' | 'discover'>>,
    Pick<LocalPolicyAdministration, 'allowAlways'> {
  /** Of the newest complete wrappers. */
  snapshotDir(): string;
  /** Starts every server that is not lazy, all at once, and does not wait for them. */
  start(): void;
  /** Resolves when every started server is ready or broken, and the wrappers hold their tools. @throws the signal's reason. */
  ready(signal: AbortSignal): Promise<void>;
  /** Takes over what other processes on this database have changed. */
  reload(): Promise<void>;
  close(): Promise<void>;
}

/** Loads what is remembered of a workspace; no server is started yet. `changed`: its tools have changed and the new wrappers are complete. */
export async function openWorkspaceTools(
  workspaceId: string,
  options: ToolDomainOptions & { readonly serversFile: string },
  shared: SharedTools,
  changed: () => void,
): Promise<WorkspaceTools> {
  const { db, log, environment = process.env } = options;
  const { seal, audit, limits, recorder, approvals, reader, host, findPrincipal, call, now, committed } = shared;
  const { kinds } = options.sourceKinds ?? BUILT_IN_KINDS;
  const isHome = workspaceId === DEFAULT_WORKSPACE_ID;
  const restrictions = restrictionsOf(workspaceId, options, shared.outbound);
  const { outbound } = restrictions;
  const tables = db.query<ToolTables>();
  const catalogStore = createCatalogStore(tables, workspaceId, committed);
  const catalog = await createCatalog(catalogStore, now);
  const policies = await createPolicies(tables, workspaceId, now);
  const integrations = createIntegrationStore(tables, workspaceId, seal);

  const integrationOf = (slug: string) => {
    const managed = resolver.server(slug);
    return { slug: managed.slug, connected: managed.source?.connected ?? null };
  };
  const { connections, ...opened } = await openConnections({
    db,
    workspaceId,
    seal,
    log,
    secrets: restrictions.secrets,
    environment: restrictions.environment,
    outbound,
    integrationOf,
    committed,
  });
  const servers = createServers(log);
  const mcp = {
    catalog,
    host: { ...host, outbound },
    times: { ...SUPERVISION_TIMES, ...options.times },
    log,
    connections,
    workspaceId,
  };
  // The operator's file is the home workspace's.
  for (const parsed of isHome ? await readServersFile(options.serversFile, environment) : []) {
    const managed = manageMcpServer(parsed, mcp);
    if (managed !== null) servers.add(managed);
  }
  const documents = {
    catalog,
    outbound,
    kinds,
    connections,
    binding: createBindingCache(catalogStore.binding),
    log,
  };
  const stored = createStoredServers({
    integrations,
    servers,
    catalog,
    manage: (integration) => manageStored(integration, { mcp, documents, mayRunCommands: restrictions.mayRunCommands }),
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
  connections.onChange((touched) => {
    for (const slug of touched) servers.all().get(slug)?.source?.connectionsChanged?.();
  });

  const trusts = () => new Map([...servers.all()].map(([slug, managed]) => [slug, managed.trust]));
  let visible: VisibleTools | null = null;
  const currentlyVisible = (): VisibleTools => {
    visible ??= visibleTools(catalog, policies, trusts());
    return visible;
  };
  const search = createToolSearch(currentlyVisible);
  const wrappers = {
    snapshot: (tools: Parameters<typeof options.wrapperStore.snapshot>[0]) => options.wrapperStore.snapshot(tools, workspaceId),
  };
  const snapshots = await createSnapshotKeeper(wrappers, () => currentlyVisible().definitions(), changed, log);
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
  const policyAdministration = createPolicyAdministration({
    catalog,
    policies,
    resolver,
    trusts,
    // Who belongs to another workspace is nobody here.
    async findPrincipal(id) {
      const known = await findPrincipal(id);
      return known?.workspaceId === undefined || known.workspaceId === workspaceId ? known : null;
    },
    connectionOf,
    audit,
    async changed() {
      committed();
      visibilityChanged();
      await settled();
    },
  });
  const documentIntegrations = createDocumentIntegrations({ servers, stored, catalog, outbound, kinds, reader, log });
  const integrationAdministration = createIntegrationAdministration({
    servers,
    stored,
    integrations,
    documents: documentIntegrations,
    connections,
    catalog,
    resolver,
    mayRunCommands: restrictions.mayRunCommands,
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
    connections: opened.administration,
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
    allowAlways: policyAdministration.allowAlways,
    callTool: (grant, { callNumber, tool, args, approvalId }, signal) =>
      call(
        {
          workspaceId,
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
      return discover(operation, params, { id: grant.principalId, workspaceId, role: 'agent', scopes }, administration, log);
    },
    snapshotDir: snapshots.dir,
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
    async close() {
      documentIntegrations.close();
      await servers.close();
      await opened.close();
      await settled();
      options.wrapperStore.letGo?.(workspaceId);
    },
  };
}

function rejectedBy(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}
