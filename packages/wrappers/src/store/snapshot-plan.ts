import { hash } from 'node:crypto';
import type { ToolDefinition } from '@code-executor/contracts';
import { pythonAsyncSource, pythonPackageSource, typeScriptIndexSource } from '../generate/server-files.ts';
import { skillIndexSource } from '../generate/skill-files.ts';
import { type ServerName, serverNames, type ToolName, toolNames } from '../naming/code-names.ts';
import { toolDigest } from './tool-digest.ts';
import { type ToolFile, toolFileSource } from './tool-file.ts';

/** One file of a snapshot. Two of the same path and identity have the same text, so the text is made only when it must be written. */
export interface PlannedFile {
  readonly identity: string;
  readonly source: () => string;
  /** Where it is made from one tool alone. */
  readonly of?: ToolFile | undefined;
}
export type PlannedDirectory = ReadonlyMap<string, PlannedFile>;

export interface SnapshotPlan {
  readonly id: string;
  /** Directory relative to the snapshot (`''`: the snapshot itself) → its files. Directories that did not change are the same object. */
  readonly directories: ReadonlyMap<string, PlannedDirectory>;
  /** Symbolic links, name → target, both directly below the snapshot. */
  readonly links: ReadonlyMap<string, string>;
}

interface ServerPlan {
  readonly key: string;
  readonly files: PlannedDirectory;
  readonly name: ServerName;
  readonly tools: ReadonlyMap<string, { readonly digest: string; readonly name: ToolName; readonly tool: ToolDefinition | undefined }>;
}

/** Plans snapshots one after another, and remembers of the last one what the next may share. */
export function createSnapshotPlanner(
  runtimeFiles: ReadonlyMap<string, string>,
  version: string,
): (tools: readonly ToolDefinition[]) => SnapshotPlan {
  const rootFiles = runtimeFilesIn(runtimeFiles, '');
  let lastServers = new Map<string, ServerPlan>();

  return function planSnapshot(tools) {
    const byServer = Map.groupBy(tools, (tool) => tool.server);
    const names = serverNames(byServer.keys());
    const directories = new Map<string, PlannedDirectory>([['', rootFiles]]);
    const links = new Map<string, string>();
    const asynchronous = new Map(runtimeFilesIn(runtimeFiles, 'aio'));
    const servers = new Map<string, ServerPlan>();
    const keys: string[] = [];
    for (const [server, serverTools] of byServer) {
      const name = names.get(server);
      if (!name) continue;
      const last = lastServers.get(server);
      const key = serverKey(name, serverTools, last);
      const plan = last?.key === key ? last : planServer(server, name, serverTools, key, last);
      servers.set(server, plan);
      directories.set(name.directory, plan.files);
      if (name.identifier !== name.directory) links.set(name.identifier, name.directory);
      asynchronous.set(`${name.identifier}.py`, { identity: server, source: () => pythonAsyncSource(server, name) });
      keys.push(`${JSON.stringify(server)}${key}`);
    }
    directories.set('aio', asynchronous);
    lastServers = servers;
    return { id: hash('sha256', `${version}${keys.sort().join('')}`).slice(0, 32), directories, links };
  };
}

function planServer(
  server: string,
  name: ServerName,
  tools: readonly ToolDefinition[],
  key: string,
  last: ServerPlan | undefined,
): ServerPlan {
  const isSameNames =
    last !== undefined &&
    last.name.directory === name.directory &&
    last.name.identifier === name.identifier &&
    last.tools.size === tools.length &&
    tools.every((tool) => last.tools.has(tool.name));
  const plan = isSameNames
    ? { key, name, tools: new Map(last.tools), files: new Map(last.files) }
    : { key, name, ...namedTools(server, tools) };
  for (const tool of tools) {
    const planned = plan.tools.get(tool.name);
    const digest = toolDigest(tool);
    if (!planned || planned.digest === digest) continue;
    plan.tools.set(tool.name, { digest, name: planned.name, tool });
    const codeName = { server, tool: tool.name, ...name, ...planned.name };
    plan.files.set(`${planned.name.typescript}.ts`, plannedToolFile(digest, { tool, language: 'typescript', name: codeName }));
    plan.files.set(`${planned.name.python}.py`, plannedToolFile(digest, { tool, language: 'python', name: codeName }));
  }
  return plan;
}

const plannedToolFile = (identity: string, of: ToolFile): PlannedFile => ({ identity, of, source: () => toolFileSource(of) });

/** The tools of a server by name, nothing known of each yet, and the files that only depend on the names. */
function namedTools(
  server: string,
  tools: readonly ToolDefinition[],
): { tools: Map<string, { digest: string; name: ToolName; tool: ToolDefinition | undefined }>; files: Map<string, PlannedFile> } {
  const names = toolNames(tools.map((tool) => tool.name).sort());
  const identity = hash('sha256', JSON.stringify([...names].map(([raw, name]) => [raw, name.typescript])));
  return {
    tools: new Map([...names].map(([raw, name]) => [raw, { digest: '', name, tool: undefined }])),
    files: new Map([
      [
        'index.ts',
        {
          identity,
          source: () => (tools.some(({ skill }) => skill !== undefined) ? skillIndexSource(names) : typeScriptIndexSource(server, names)),
        },
      ],
      ['__init__.py', { identity: server, source: () => pythonPackageSource(server) }],
    ]),
  };
}

function serverKey(name: ServerName, tools: readonly ToolDefinition[], last: ServerPlan | undefined): string {
  const digests = tools.map((tool) => toolDigest(tool, last?.tools.get(tool.name)?.tool)).sort();
  return hash('sha256', `${name.directory}\0${name.identifier}\0${digests.join('')}`);
}

function runtimeFilesIn(runtimeFiles: ReadonlyMap<string, string>, directory: string): PlannedDirectory {
  const files = new Map<string, PlannedFile>();
  for (const [path, text] of runtimeFiles) {
    const slash = path.lastIndexOf('/');
    if (path.slice(0, Math.max(slash, 0)) === directory)
      files.set(path.slice(slash + 1), { identity: hash('sha256', text), source: () => text });
  }
  return files;
}
