import type { ToolDefinition } from '@code-executor/contracts';
import { type CodeName, codeAddresses, codeNames } from '@code-executor/wrappers';
import type { PolicyDecision } from '../policies/decide.ts';
import type { Policies } from '../policies/policies.ts';
import type { Trust } from '../policies/source-default.ts';
import type { Catalog, CatalogTool } from './catalog.ts';

export interface VisibleTool {
  readonly entry: CatalogTool;
  readonly decision: PolicyDecision;
}

/** What one workspace's agents see at one moment: every tool that no policy blocks, in order of server and of the server's own list. */
export interface VisibleTools {
  readonly list: readonly VisibleTool[];
  readonly byServer: ReadonlyMap<string, readonly VisibleTool[]>;
  /** By `server.tool` as the upstream spells it. */
  find(address: string): VisibleTool | undefined;
  /** Names in code, made at the first question. */
  codeNames(): ReadonlyMap<string, CodeName>;
  /** Addresses as code spells them → as the upstream does. */
  codeAddresses(): ReadonlyMap<string, string>;
  definitions(): readonly ToolDefinition[];
}

/** `servers`: those there are, in order, with the trust of each. */
export function visibleTools(catalog: Catalog, policies: Policies, servers: ReadonlyMap<string, Trust>): VisibleTools {
  const list: VisibleTool[] = [];
  const byServer = new Map<string, readonly VisibleTool[]>();
  const byAddress = new Map<string, VisibleTool>();
  for (const [server, trust] of servers) {
    const tools: VisibleTool[] = [];
    for (const entry of catalog.tools(server).values()) {
      const decision = policies.decide(entry, trust);
      if (decision.action === 'block') continue;
      const visible = { entry, decision };
      tools.push(visible);
      list.push(visible);
      byAddress.set(`${server}.${entry.tool.name}`, visible);
    }
    byServer.set(server, tools);
  }
  const definitions = list.map(({ entry }) => entry.tool);
  let names: ReadonlyMap<string, CodeName> | null = null;
  let addresses: ReadonlyMap<string, string> | null = null;
  const namesOnce = (): ReadonlyMap<string, CodeName> => {
    names ??= codeNames(definitions);
    return names;
  };
  return {
    list,
    byServer,
    find: (address) => byAddress.get(address),
    codeNames: namesOnce,
    codeAddresses() {
      addresses ??= codeAddresses(namesOnce());
      return addresses;
    },
    definitions: () => definitions,
  };
}
