import { AppError } from '@code-executor/platform';
import type { AskedOfPolicy, ResolvedTool } from '../call-tool.ts';
import { type PolicyPattern, parsePattern } from '../policies/pattern.ts';
import type { Policies } from '../policies/policies.ts';
import { printable } from '../sources/mcp/stderr-log.ts';
import type { Servers } from '../sources/servers.ts';
import type { ManagedServer } from '../sources/source.ts';
import type { Catalog, CatalogTool } from './catalog.ts';
import { didYouMean, suggestions } from './suggestions.ts';
import { splitAddress, withoutConnection } from './tool-address.ts';
import type { VisibleTools } from './visible-tools.ts';

export interface ToolResolver {
  /** @throws AppError SERVER_NOT_FOUND, TOOL_NOT_FOUND, UPSTREAM_UNAVAILABLE. Waits where the tool may yet appear: its server is starting. */
  resolve(address: string, signal: AbortSignal, asked: AskedOfPolicy): Promise<ResolvedTool>;
  /** The server of this slug, or spelt so in code; a connection behind it (`github@work`) is not looked at. @throws AppError SERVER_NOT_FOUND */
  server(name: string): ManagedServer;
  /** The tool, blocked ones included. @throws AppError SERVER_NOT_FOUND, TOOL_NOT_FOUND */
  find(address: string): { readonly entry: CatalogTool; readonly managed: ManagedServer };
}

export function createToolResolver(deps: {
  readonly catalog: Catalog;
  readonly policies: Policies;
  readonly servers: Servers;
  visible(): VisibleTools;
  /** The name of the connection that a call goes by, the default one included; null: none. @throws AppError CONNECTION_NOT_FOUND */
  connectionOf(integration: string, named: string | null, principalId: string): string | null;
}): ToolResolver {
  const { catalog, policies, servers, visible } = deps;
  const readOnlyPatterns = new WeakMap<ManagedServer, readonly PolicyPattern[]>();

  function server(given: string): ManagedServer {
    const name = withoutConnection(given);
    const managed = servers.all().get(name) ?? servers.all().get(slugInCode(name));
    if (managed !== undefined) return managed;
    const near = suggestions(name, servers.all().keys());
    throw new AppError('SERVER_NOT_FOUND', `No server ${JSON.stringify(printable(name, 80))}.${didYouMean(near) || serverList()}`, {
      details: { server: name.slice(0, 200), suggestions: near },
    });
  }

  /** `sequential_thinking` for `sequential-thinking`, also where the server has no tool yet. */
  function slugInCode(name: string): string {
    for (const { identifier, server: slug } of visible().codeNames().values()) if (identifier === name) return slug;
    return [...servers.all().keys()].find((slug) => slug.replace(/[^A-Za-z0-9_]+/g, '_') === name) ?? '';
  }

  function serverList(): string {
    const slugs = [...servers.all().keys()];
    return slugs.length === 0 ? ' There are none' : ` There are ${slugs.slice(0, 20).join(', ')}${slugs.length > 20 ? ', …' : ''}`;
  }

  function lookUp(address: string): { entry: CatalogTool; managed: ManagedServer } | null {
    const dot = address.indexOf('.');
    const exact = catalog.tools(address.slice(0, dot)).get(address.slice(dot + 1));
    const spelt = exact === undefined ? visible().find(visible().codeAddresses().get(address) ?? '')?.entry : exact;
    const managed = spelt === undefined ? undefined : servers.all().get(spelt.tool.server);
    return spelt === undefined || managed === undefined ? null : { entry: spelt, managed };
  }

  function find(given: string): { entry: CatalogTool; managed: ManagedServer } {
    const { address } = splitAddress(given);
    const found = lookUp(address);
    if (found !== null) return found;
    const dot = address.indexOf('.');
    if (dot < 1 || dot === address.length - 1)
      throw new AppError('TOOL_NOT_FOUND', `${JSON.stringify(printable(address, 100))} is no tool: write server.tool`);
    const managed = server(address.slice(0, dot));
    const name = address.slice(dot + 1);
    const near = suggestions(
      name,
      (visible().byServer.get(managed.slug) ?? []).map(({ entry }) => entry.tool.name),
    );
    throw new AppError('TOOL_NOT_FOUND', `${managed.slug} has no tool ${JSON.stringify(printable(name, 80))}.${didYouMean(near)}`, {
      details: { server: managed.slug, tool: name.slice(0, 200), suggestions: near },
    });
  }

  function readOnly(managed: ManagedServer): readonly PolicyPattern[] {
    const known = readOnlyPatterns.get(managed);
    if (known !== undefined) return known;
    const patterns = (managed.source?.readOnlyTools ?? []).map((name) => parsePattern(`${managed.slug}.${name}`));
    readOnlyPatterns.set(managed, patterns);
    return patterns;
  }

  return {
    server,
    find,
    async resolve(given, signal, asked) {
      const { address, connection } = splitAddress(given);
      const found = lookUp(address) ?? (await findOnceUp(address, signal));
      const { entry, managed } = found;
      if (managed.source === null) throw unusable(managed);
      const goesBy = deps.connectionOf(managed.slug, connection, asked.principal.id);
      return {
        entry,
        source: managed.source,
        connection,
        goesBy,
        decision: policies.decide(entry, managed.trust, { ...asked, connection: goesBy }),
        readOnly: readOnly(managed),
      };
    },
  };

  /** Before its first listing a server has no tools to be found, so it is started, and waited for. */
  async function findOnceUp(address: string, signal: AbortSignal): Promise<{ entry: CatalogTool; managed: ManagedServer }> {
    const dot = address.indexOf('.');
    if (dot < 1) return find(address);
    const managed = server(address.slice(0, dot));
    if (managed.source !== null && managed.state().state !== 'ready') await managed.source.up(signal);
    else if (managed.source === null && catalog.tools(managed.slug).size === 0) throw unusable(managed);
    return find(address);
  }
}

/** Its definition cannot be used, so trying again will not help. */
function unusable(managed: ManagedServer): AppError {
  const { state, reason } = managed.state();
  return new AppError('UPSTREAM_UNAVAILABLE', `${managed.slug} is ${state}: ${reason}. The operator has to mend its definition`, {
    details: { server: managed.slug, state, reason },
  });
}
