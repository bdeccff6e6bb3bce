import type { ToolDefinition } from '@code-executor/contracts';
import { distinctNames, keeperOf } from './distinct-names.ts';
import { isReservedBesideServers, isReservedInPython, isReservedInTypeScript, isReservedServerIdentifier } from './reserved-words.ts';

/** What one server is called in code. */
export interface ServerName {
  /** The directory below `/workspace/servers` that really exists: the slug, where it is a safe path segment. */
  readonly directory: string;
  /** `tools.<identifier>`, `servers.<identifier>`; where it differs from `directory`, a link of this name leads there. */
  readonly identifier: string;
}

/** What one tool is called in code. */
export interface ToolName {
  /** The function, and the stem of its file, in TypeScript. */
  readonly typescript: string;
  /** The same in Python. */
  readonly python: string;
}

export interface CodeName extends ServerName, ToolName {
  readonly server: string;
  readonly tool: string;
}

/** The name in code of every tool, by address (`server.tool`, both as the upstream spells them). */
export function codeNames(tools: readonly ToolDefinition[]): ReadonlyMap<string, CodeName> {
  const byServer = new Map<string, string[]>();
  for (const tool of tools) {
    const names = byServer.get(tool.server);
    if (names) names.push(tool.name);
    else byServer.set(tool.server, [tool.name]);
  }
  const names = new Map<string, CodeName>();
  const servers = serverNames(byServer.keys());
  for (const [server, rawNames] of byServer) {
    const serverName = servers.get(server);
    if (!serverName) continue;
    for (const [tool, toolName] of toolNames(rawNames)) {
      names.set(`${server}.${tool}`, { server, tool, ...serverName, ...toolName });
    }
  }
  return names;
}

/**
 * Addresses as a program may spell them (`sequential_thinking.get_sum`) → the address of the tool that is meant. Addresses that are
 * some tool's own are not listed: look those up first.
 */
export function codeAddresses(names: ReadonlyMap<string, CodeName>): ReadonlyMap<string, string> {
  const addresses = new Map<string, string>();
  for (const [address, name] of names) {
    for (const server of new Set([name.server, name.identifier, name.directory])) {
      for (const tool of new Set([name.tool, name.typescript, name.python])) {
        const spelling = `${server}.${tool}`;
        if (!names.has(spelling) && !addresses.has(spelling)) addresses.set(spelling, address);
      }
    }
  }
  return addresses;
}

export function serverNames(slugs: Iterable<string>): Map<string, ServerName> {
  const all = [...slugs];
  const identifiers = distinctNames(all, {
    isName: PYTHON_NAME,
    isReserved: isReservedServerIdentifier,
    fallback: 'server',
    areFiles: true,
  });
  const keepers = new Map<string, string>();
  for (const slug of all) {
    const key = slug.toLowerCase();
    keepers.set(key, keeperOf(slug, keepers.get(key) ?? slug, key));
  }
  const names = new Map<string, ServerName>();
  for (const [slug, identifier] of identifiers) {
    const isSafeSegment =
      /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$/.test(slug) && !isReservedBesideServers(slug.toLowerCase()) && !/\.(ts|js|py)$/i.test(slug);
    names.set(slug, { directory: isSafeSegment && keepers.get(slug.toLowerCase()) === slug ? slug : identifier, identifier });
  }
  return names;
}

export function toolNames(rawNames: readonly string[]): Map<string, ToolName> {
  const typescript = distinctNames(rawNames, {
    isName: /^[A-Za-z_$][A-Za-z0-9_$]*$/,
    // A file of this stem would stand beside the one that gathers the tools.
    isReserved: (name) => isReservedInTypeScript(name) || name.toLowerCase() === 'index',
    fallback: 'tool',
    areFiles: true,
  });
  const python = distinctNames(rawNames, { isName: PYTHON_NAME, isReserved: isReservedInPython, fallback: 'tool', areFiles: true });
  const names = new Map<string, ToolName>();
  for (const [raw, name] of typescript) names.set(raw, { typescript: name, python: python.get(raw) ?? name });
  return names;
}

const PYTHON_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
