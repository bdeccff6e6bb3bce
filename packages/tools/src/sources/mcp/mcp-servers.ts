import type { ToolDefinition } from '@code-executor/contracts';
import type { Catalog } from '../../catalog/catalog.ts';
import type { Connections } from '../../connections/port.ts';
import { driftWarnings } from '../drift-warnings.ts';
import { type ManagedServer, NO_CHANGE } from '../source.ts';
import { authorizationOf } from './authorization.ts';
import { mcpSource } from './call-mcp-tool.ts';
import { remoteConnections, stdioConnections } from './mcp-connections.ts';
import { createMcpServer, type McpServerDependencies, type ServerLog } from './mcp-server.ts';
import { scrubbed } from './reply-value.ts';
import { bothScrubs, createScrub, type Scrub } from './secrets.ts';
import type { McpServerEntry, ParsedEntry } from './server-entry.ts';

export interface ManageMcpDependencies {
  readonly catalog: Catalog;
  readonly host: McpServerDependencies['host'];
  readonly times: McpServerDependencies['times'];
  readonly log: ServerLog;
  readonly connections: Connections;
  readonly workspaceId: string;
}

/** The MCP server of an entry, not started yet; null where the entry is switched off. */
export function manageMcpServer(parsed: ParsedEntry, deps: ManageMcpDependencies): ManagedServer | null {
  if ('disabled' in parsed) return null;
  return 'entry' in parsed ? supervised(parsed.entry, deps) : unusable(parsed.broken);
}

function supervised(entry: McpServerEntry, deps: ManageMcpDependencies): ManagedServer {
  const { catalog, host, times, log, workspaceId } = deps;
  let listWarnings: readonly string[] = [];
  const scrub = { reply: createScrub(entry.hidden.secrets), message: createScrub([...entry.hidden.secrets, ...entry.hidden.privates]) };
  // The supervised session is the workspace's: it belongs to no principal.
  const authorization =
    entry.transport.kind === 'http'
      ? authorizationOf(deps.connections, { integration: entry.slug, connection: null, principal: { id: '', workspaceId } })
      : undefined;
  const clean = authorization === undefined ? scrub.reply : bothScrubs(authorization.scrub, scrub.reply);
  let lastChange = NO_CHANGE;
  const server = createMcpServer(entry, {
    host,
    times,
    log,
    authorization,
    async onTools(list) {
      // A server that writes its own credentials into a description or a schema must not publish them.
      const tools = list.tools.map((tool) => ({ tool: withoutSecrets(tool, clean) }));
      lastChange = await catalog.replace(entry.slug, tools, entry.trust === true);
      const warnings = list.warnings.map((warning) => scrub.message(clean(warning)));
      for (const warning of warnings)
        if (!listWarnings.includes(warning)) log.warn({ server: entry.slug, warning }, 'MCP server lists a bad tool');
      listWarnings = warnings;
      if (entry.trust === true) return;
      for (const name of lastChange.changed)
        log.warn({ server: entry.slug, tool: name }, 'The definition of a tool has changed: it needs approval again');
    },
  });
  const connections = authorization === undefined ? stdioConnections(server) : remoteConnections(server, authorization, deps);
  return {
    slug: entry.slug,
    kind: 'mcp',
    origin: entry.origin,
    trust: entry.trust,
    source: mcpSource(server, scrub, connections),
    state: server.state,
    warnings: () => [
      ...entry.warnings,
      ...degradations(entry, host),
      ...openedOrigins(entry, host),
      ...listWarnings,
      ...(entry.trust === true ? [] : driftWarnings(catalog, entry.slug)),
    ],
    lastChange: () => lastChange,
  };
}

function unusable(broken: Extract<ParsedEntry, { broken: unknown }>['broken']): ManagedServer {
  return {
    slug: broken.slug,
    kind: 'mcp',
    origin: broken.origin,
    trust: broken.trust,
    source: null,
    state: () => ({ state: 'broken', reason: broken.problem, restarts: 0 }),
    warnings: () => broken.warnings,
    lastChange: () => NO_CHANGE,
  };
}

function withoutSecrets({ server, name, annotations, ...said }: ToolDefinition, scrub: Scrub): ToolDefinition {
  const clean = scrubbed(said, scrub) as typeof said | string;
  const shown = typeof clean === 'string' ? { description: clean, inputSchema: { type: 'object' } } : clean;
  return { server, name, ...shown, ...(annotations === undefined ? {} : { annotations }) };
}

/** Known once the first stdio server was started. */
function degradations({ transport }: McpServerEntry, { proc }: McpServerDependencies['host']): string[] {
  const degradation = transport.kind === 'stdio' ? proc.degradation() : null;
  return degradation === null ? [] : [degradation];
}

function openedOrigins({ origin, transport }: McpServerEntry, { outbound }: McpServerDependencies['host']): string[] {
  const warning = origin === 'api' && transport.kind === 'http' ? outbound.warningOf(transport.spelledUrl) : null;
  return warning === null ? [] : [warning];
}
