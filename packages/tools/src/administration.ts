import type { Principal, Role } from '@code-executor/contracts';
import type { ToolCallOutcome } from '@code-executor/executions';
import { AppError } from '@code-executor/platform';
import type { ToolCall } from './call-tool.ts';
import type { Catalog } from './catalog/catalog.ts';
import { describeTool } from './catalog/describe-tool.ts';
import type { ToolResolver } from './catalog/tool-resolver.ts';
import type { VisibleTool, VisibleTools } from './catalog/visible-tools.ts';
import type { ConnectionAdministration } from './connections/port.ts';
import { parseIntegration } from './integrations/parse-integration.ts';
import type { StoredServers } from './integrations/stored-servers.ts';
import type { PolicyAdministration } from './policies/port.ts';
import type { IntegrationRecord, LocalToolAdministration, ToolInfo } from './port.ts';
import type { ToolSearch } from './search/tool-search.ts';
import type { Servers } from './sources/servers.ts';
import type { ManagedServer } from './sources/source.ts';

export interface AdministrationDependencies {
  readonly catalog: Catalog;
  readonly policyAdministration: PolicyAdministration;
  readonly servers: Servers;
  readonly stored: StoredServers;
  readonly search: ToolSearch;
  readonly resolver: ToolResolver;
  visible(): VisibleTools;
  visibilityChanged(): void;
  /** A change is in the database that other processes do not know of. */
  committed(): void;
  /** Wrappers and search hold the present tools. */
  settled(): Promise<void>;
  invoke(call: ToolCall, signal: AbortSignal): Promise<ToolCallOutcome>;
}

/** Catalog, integrations and policies as the gateway asks for them. */
export function createAdministration(deps: AdministrationDependencies): Omit<LocalToolAdministration, keyof ConnectionAdministration> {
  const { catalog, servers, stored, search, resolver, visible } = deps;

  function infoOf(tool: VisibleTool): ToolInfo {
    return describeTool(tool, visible().codeNames());
  }

  function find(server: string, tool: string): VisibleTool {
    const { entry } = resolver.find(`${resolver.server(server).slug}.${tool}`);
    const found = visible().find(`${entry.tool.server}.${entry.tool.name}`);
    if (found === undefined) throw new AppError('TOOL_BLOCKED', `${entry.tool.server}.${entry.tool.name} is blocked by a policy`);
    return found;
  }

  return {
    listTools(_principal, { server, limit, cursor }) {
      const list = server === undefined ? visible().list : (visible().byServer.get(resolver.server(server).slug) ?? []);
      const start = readCursor(cursor);
      const items = list.slice(start, start + limit).map(({ entry: { tool }, decision }) => ({
        server: tool.server,
        name: tool.name,
        description: tool.description,
        action: decision.action,
      }));
      return {
        items,
        total: list.length,
        nextCursor: start + items.length < list.length && items.length > 0 ? String(start + items.length) : null,
      };
    },
    search(_principal, query) {
      const server = query.server === undefined ? undefined : resolver.server(query.server).slug;
      return search.search({ ...query, server }, infoOf);
    },
    toolInfo: (_principal, server, tool) => infoOf(find(server, tool)),
    async invoke(principal, server, tool, args, signal) {
      const call = { workspaceId: principal.workspaceId, principalId: principal.id, execution: null, address: `${server}.${tool}`, args };
      return (await deps.invoke(call, signal)).reply;
    },

    listIntegrations: () => [...servers.all().values()].map((managed) => recordOf(managed, catalog)),
    getIntegration: (_principal, slug) => recordOf(resolver.server(slug), catalog),
    async addIntegration(principal, integration) {
      requireRole(principal, ['admin', 'operator'], 'add integrations');
      if (integration.command !== undefined) requireRole(principal, ['admin'], 'add an integration that runs a command');
      if (servers.all().has(integration.slug))
        throw new AppError('INTEGRATION_EXISTS', `There is an integration ${integration.slug} already`);
      parseIntegration(integration);
      const managed = await stored.add(integration);
      try {
        if (managed?.source === null || managed === null) throw new AppError('INTEGRATION_INVALID', `${integration.slug} cannot be used`);
        if (!managed.source.lazy) await connect(managed);
      } catch (error) {
        await drop(integration.slug);
        throw error;
      } finally {
        deps.committed();
      }
      deps.visibilityChanged();
      await deps.settled();
      return recordOf(managed, catalog);
    },
    async removeIntegration(principal, slug) {
      requireRole(principal, ['admin', 'operator'], 'remove integrations');
      const managed = resolver.server(slug);
      if (managed.origin === 'file')
        throw new AppError('INVALID_REQUEST', `${managed.slug} is defined in the servers file: remove it there and restart the service`);
      await drop(managed.slug);
    },
    async refreshIntegration(principal, slug) {
      requireRole(principal, ['admin', 'operator'], 'refresh integrations');
      const managed = resolver.server(slug);
      if (managed.source === null) throw new AppError('INTEGRATION_INVALID', `${managed.slug}: ${managed.state().reason}`);
      if (managed.state().state === 'broken') managed.source.start();
      const before = managed.state().state;
      await connect(managed);
      if (before === 'ready') await managed.source.relist(AbortSignal.timeout(REFRESH_TIMEOUT_MS));
      await deps.settled();
      const { added, removed, changed } = managed.lastChange();
      return { ...recordOf(managed, catalog), added: [...added], removed: [...removed], changed: [...changed] };
    },

    ...deps.policyAdministration,

    summary() {
      const states = [...servers.all().values()].map((managed) => {
        const { state, reason } = managed.state();
        return [managed.slug, { state, tools: catalog.tools(managed.slug).size, reason }] as const;
      });
      return { servers: Object.fromEntries(states), totalTools: states.reduce((sum, [, { tools }]) => sum + tools, 0) };
    },
  };

  async function connect(managed: ManagedServer): Promise<void> {
    try {
      await managed.source?.up(AbortSignal.timeout(REFRESH_TIMEOUT_MS));
    } catch (error) {
      throw new AppError(
        'INTEGRATION_UNREACHABLE',
        `${managed.slug} could not be reached: ${managed.state().reason ?? 'it did not answer in time'}`,
        { cause: error },
      );
    }
  }

  async function drop(slug: string): Promise<void> {
    await stored.remove(slug);
    deps.committed();
    await catalog.remove(slug, { forget: true });
    deps.visibilityChanged();
    await deps.settled();
  }
}

const REFRESH_TIMEOUT_MS = 40_000;

function recordOf(managed: ManagedServer, catalog: Catalog): IntegrationRecord {
  const { state, reason, restarts } = managed.state();
  return {
    slug: managed.slug,
    kind: managed.kind,
    origin: managed.origin,
    state,
    reason,
    toolCount: catalog.tools(managed.slug).size,
    trust: managed.trust,
    warnings: managed.warnings(),
    restarts,
  };
}

function requireRole({ role }: Principal, roles: readonly Role[], act: string): void {
  if (!roles.includes(role)) throw new AppError('FORBIDDEN', `The role ${role} may not ${act}; it takes ${roles.join(' or ')}`);
}

function readCursor(cursor: string | undefined): number {
  if (cursor === undefined) return 0;
  if (!/^\d{1,9}$/.test(cursor)) throw new AppError('INVALID_REQUEST', 'cursor: use the nextCursor of the page before');
  return Number(cursor);
}
