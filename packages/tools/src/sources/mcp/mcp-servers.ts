import type { ToolDefinition } from '@code-executor/contracts';
import type { Catalog, CatalogChange } from '../../catalog/catalog.ts';
import type { IntegrationState } from '../../port.ts';
import { createMcpServer, type McpServer, type McpServerDependencies, type ServerLog } from './mcp-server.ts';
import { createScrub, type Scrub } from './secrets.ts';
import type { McpServerEntry, ParsedEntry } from './server-entry.ts';

/** One configured server, whether it can run or not. */
export interface ManagedServer {
  readonly slug: string;
  readonly origin: 'file' | 'api';
  readonly trust: boolean | 'annotations';
  /** Null: the entry itself is broken, and nothing will start. */
  readonly server: McpServer | null;
  readonly scrub: { readonly reply: Scrub; readonly message: Scrub };
  state(): { readonly state: IntegrationState; readonly reason: string | null; readonly restarts: number };
  warnings(): readonly string[];
  /** Of the last listing that changed anything. */
  lastChange(): CatalogChange;
}

/** All configured servers of a workspace, in the order they were configured. */
export interface McpServers {
  all(): ReadonlyMap<string, ManagedServer>;
  add(parsed: ParsedEntry): ManagedServer | null;
  /** Stops it. Its tools are the caller's affair. */
  remove(slug: string): Promise<void>;
  close(): Promise<void>;
}

const NO_CHANGE: CatalogChange = { added: [], removed: [], changed: [] };

export function createMcpServers(deps: {
  readonly catalog: Catalog;
  readonly host: McpServerDependencies['host'];
  readonly times: McpServerDependencies['times'];
  readonly log: ServerLog;
}): McpServers {
  const servers = new Map<string, ManagedServer>();
  return {
    all: () => servers,
    add(parsed) {
      if ('disabled' in parsed) return null;
      const managed = 'entry' in parsed ? supervised(parsed.entry, deps) : unusable(parsed.broken);
      if (managed.server === null) deps.log.warn({ server: managed.slug, reason: managed.state().reason }, 'MCP server is broken');
      for (const warning of managed.warnings()) deps.log.warn({ server: managed.slug, warning }, 'MCP server definition');
      servers.set(managed.slug, managed);
      return managed;
    },
    async remove(slug) {
      const managed = servers.get(slug);
      servers.delete(slug);
      await managed?.server?.stop();
    },
    async close() {
      await Promise.all([...servers.values()].map((managed) => managed.server?.stop()));
    },
  };
}

function supervised(entry: McpServerEntry, { catalog, host, times, log }: Parameters<typeof createMcpServers>[0]): ManagedServer {
  let listWarnings: readonly string[] = [];
  const scrub = { reply: createScrub(entry.hidden.secrets), message: createScrub([...entry.hidden.secrets, ...entry.hidden.privates]) };
  let lastChange = NO_CHANGE;
  const server = createMcpServer(entry, {
    host,
    times,
    log,
    async onTools(list) {
      // A server that writes its own credentials into a description must not publish them.
      const tools = list.tools.map((tool) => withoutSecrets(tool, scrub.reply));
      lastChange = await catalog.replace(entry.slug, tools, entry.trust === true);
      const warnings = list.warnings.map(scrub.message);
      for (const warning of warnings)
        if (!listWarnings.includes(warning)) log.warn({ server: entry.slug, warning }, 'MCP server lists a bad tool');
      listWarnings = warnings;
      if (entry.trust === true) return;
      for (const name of lastChange.changed)
        log.warn({ server: entry.slug, tool: name }, 'The definition of a tool has changed: it needs approval again');
    },
  });
  return {
    slug: entry.slug,
    origin: entry.origin,
    trust: entry.trust,
    server,
    scrub,
    state: server.state,
    warnings: () => [
      ...entry.warnings,
      ...degradations(entry, host),
      ...listWarnings,
      ...(entry.trust === true ? [] : driftedTools(catalog, entry.slug)),
    ],
    lastChange: () => lastChange,
  };
}

function unusable(broken: Extract<ParsedEntry, { broken: unknown }>['broken']): ManagedServer {
  const asIs: Scrub = (text) => text;
  return {
    slug: broken.slug,
    origin: broken.origin,
    trust: broken.trust,
    server: null,
    scrub: { reply: asIs, message: asIs },
    state: () => ({ state: 'broken', reason: broken.problem, restarts: 0 }),
    warnings: () => broken.warnings,
    lastChange: () => NO_CHANGE,
  };
}

function withoutSecrets(tool: ToolDefinition, scrub: Scrub): ToolDefinition {
  const description = scrub(tool.description);
  const title = tool.title === undefined ? undefined : scrub(tool.title);
  return description === tool.description && title === tool.title
    ? tool
    : { ...tool, description, ...(title === undefined ? {} : { title }) };
}

/** Known once the first stdio server was started. */
function degradations({ transport }: McpServerEntry, { proc }: McpServerDependencies['host']): string[] {
  const degradation = transport.kind === 'stdio' ? proc.degradation() : null;
  return degradation === null ? [] : [degradation];
}

function driftedTools(catalog: Catalog, server: string): string[] {
  return [...catalog.tools(server).values()]
    .filter((entry) => entry.driftedAt !== null)
    .slice(0, 20)
    .map(
      ({ tool, driftedAt }) =>
        `${tool.name.slice(0, 80)}: its definition changed on ${driftedAt?.toISOString()}; it needs approval until an allow policy that covers it is added`,
    );
}
