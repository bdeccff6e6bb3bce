import { serversOf } from '@code-executor/contracts';
import type { ToolCallOutcome } from '@code-executor/executions';
import { AppError } from '@code-executor/platform';
import type { ApprovalsAdministration } from './approvals/port.ts';
import type { ToolCall } from './call-tool.ts';
import { assertServer } from './calls/may-call.ts';
import type { Catalog } from './catalog/catalog.ts';
import { describeTool } from './catalog/describe-tool.ts';
import type { ToolResolver } from './catalog/tool-resolver.ts';
import type { VisibleTool, VisibleTools } from './catalog/visible-tools.ts';
import type { ConnectionAdministration } from './connections/port.ts';
import type { HandoffAdministration } from './executor/port.ts';
import type { LocalIntegrationAdministration } from './integrations/integration-administration.ts';
import type { PolicyAdministration } from './policies/port.ts';
import type { LocalToolAdministration, ToolInfo } from './port.ts';
import type { ToolSearch } from './search/tool-search.ts';
import type { SkillAdministration } from './skills/port.ts';
import type { Servers } from './sources/servers.ts';
import { isBuiltIn } from './sources/source.ts';

export interface AdministrationDependencies {
  readonly catalog: Catalog;
  readonly policyAdministration: PolicyAdministration;
  readonly servers: Servers;
  readonly integrationAdministration: LocalIntegrationAdministration;
  readonly search: ToolSearch;
  readonly resolver: ToolResolver;
  visible(): VisibleTools;
  invoke(call: ToolCall, signal: AbortSignal): Promise<ToolCallOutcome>;
}

/** Catalog, integrations and policies as the gateway asks for them. */
export function createAdministration(
  deps: AdministrationDependencies,
): Omit<
  LocalToolAdministration,
  keyof ApprovalsAdministration | keyof ConnectionAdministration | keyof HandoffAdministration | keyof SkillAdministration
> {
  const { catalog, servers, search, resolver, visible } = deps;

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
    listTools(principal, { server, limit, cursor }) {
      const all = server === undefined ? visible().list : (visible().byServer.get(resolver.server(server).slug) ?? []);
      const among = serversOf(principal.scopes);
      const list = among === null ? all : all.filter(({ entry }) => among.includes(entry.tool.server));
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
    search(principal, query) {
      const server = query.server === undefined ? undefined : resolver.server(query.server).slug;
      return search.search({ ...query, server, among: serversOf(principal.scopes) }, infoOf);
    },
    toolInfo(principal, server, tool) {
      const found = find(server, tool);
      assertServer(principal, found.entry.tool.server);
      return infoOf(found);
    },
    async invoke(principal, server, tool, args, signal, { wholeAnswer } = {}) {
      const { id: principalId, workspaceId } = principal;
      const call = { workspaceId, principalId, principal, execution: null, address: `${server}.${tool}`, args, wholeAnswer };
      return (await deps.invoke(call, signal)).reply;
    },

    ...deps.integrationAdministration,

    ...deps.policyAdministration,

    summary() {
      const upstreams = [...servers.all().values()].filter(({ kind }) => !isBuiltIn(kind));
      const states = upstreams.map((managed) => {
        const { state, reason } = managed.state();
        return [managed.slug, { state, tools: catalog.tools(managed.slug).size, reason }] as const;
      });
      return { servers: Object.fromEntries(states), totalTools: states.reduce((sum, [, { tools }]) => sum + tools, 0) };
    },
  };
}

function readCursor(cursor: string | undefined): number {
  if (cursor === undefined) return 0;
  if (!/^\d{1,9}$/.test(cursor)) throw new AppError('INVALID_REQUEST', 'cursor: use the nextCursor of the page before');
  return Number(cursor);
}
