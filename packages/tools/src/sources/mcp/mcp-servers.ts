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
  onState(): void;
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

function supervised(entry: McpServerEntry, { catalog, host, times, log, onState }: Parameters<typeof createMcpServers>[0]): ManagedServer {
  let listWarnings: readonly string[] = [];
  let driftWarnings: readonly string[] = [];
  let lastChange = NO_CHANGE;
  let turn: Promise<unknown> = Promise.resolve();
  const server = createMcpServer(entry, {
    host,
    times,
    log,
    onState,
    onTools(list) {
      // A listing on request and one on notice may overlap; the catalog takes one at a time.
      const taken = turn.then(async () => {
        lastChange = await catalog.replace(entry.slug, list.tools, entry.trust === true);
        for (const warning of list.warnings)
          if (!listWarnings.includes(warning)) log.warn({ server: entry.slug, warning }, 'MCP server lists a bad tool');
        listWarnings = list.warnings;
        if (entry.trust !== true) {
          for (const name of lastChange.changed)
            log.warn({ server: entry.slug, tool: name }, 'The definition of a tool has changed: it needs approval again');
        }
        driftWarnings = driftedTools(catalog, entry.slug);
      });
      turn = taken.catch(() => undefined);
      return taken;
    },
  });
  return {
    slug: entry.slug,
    origin: entry.origin,
    trust: entry.trust,
    server,
    scrub: { reply: createScrub(entry.hidden.secrets), message: createScrub([...entry.hidden.secrets, ...entry.hidden.privates]) },
    state: server.state,
    warnings: () => [...entry.warnings, ...listWarnings, ...(entry.trust === true ? [] : driftWarnings)],
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

function driftedTools(catalog: Catalog, server: string): string[] {
  return [...catalog.tools(server).values()]
    .filter((entry) => entry.driftedAt !== null)
    .slice(0, 20)
    .map(
      ({ tool, driftedAt }) =>
        `${tool.name.slice(0, 80)}: its definition changed on ${driftedAt?.toISOString()}; it needs approval until an allow policy that covers it is added`,
    );
}
