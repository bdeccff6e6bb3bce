import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { ToolDefinition } from '@code-executor/contracts';
import fc from 'fast-check';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { codeNames } from './naming/code-names.ts';
import { createWrapperStore, type WrapperStore } from './store/wrapper-store.ts';
import { fixturesDir, listFixtureTools } from './testing/fixture-tools.ts';
import { hostileTool } from './testing/hostile-tools.ts';

const run = promisify(execFile);
const ARCHITECTURE = process.arch === 'arm64' ? 'aarch64' : 'x64';
const BUN = fileURLToPath(new URL(`../../../node_modules/@oven/bun-linux-${ARCHITECTURE}/bin/bun`, import.meta.url));
const PYTHON = '/usr/bin/python3';
const base = mkdtempSync(join(tmpdir(), 'generated-wrappers-'));
const stores: WrapperStore[] = [];

const simple = (server: string, name: string, properties: Record<string, unknown> = {}, required: string[] = []): ToolDefinition => ({
  server,
  name,
  description: `What ${name} does.`,
  inputSchema: { type: 'object', properties, required },
});

const TOOLS: ToolDefinition[] = [
  simple('filesystem', 'read_text_file', { path: { type: 'string' }, head: { type: 'number' } }, ['path']),
  simple('filesystem', 'copy', { from: { type: 'string' }, 'to-path': { type: 'string' }, more: { type: 'boolean' } }, ['from']),
  simple('filesystem', 'then'),
  simple('everything', 'get-sum', { a: { type: 'number' }, b: { type: 'number' } }, ['a', 'b']),
  simple('sequential-thinking', 'sequentialthinking', { thought: { type: 'string' } }, ['thought']),
];

/** A directory laid out like `/workspace`, with the wrappers of these tools and the runner's side of the seam, which answers with what it was asked. */
async function workspaceWith(name: string, tools: readonly ToolDefinition[]): Promise<string> {
  const store = createWrapperStore({ dir: join(base, `${name}-store`) });
  stores.push(store);
  const { dir } = await store.snapshot(tools);
  const workspace = join(base, name);
  mkdirSync(workspace);
  symlinkSync(dir, join(workspace, 'servers'));
  writeFileSync(
    join(workspace, 'seam.ts'),
    `globalThis[Symbol.for('code-executor')] = {
      call: async (tool, args) => ({ tool, args }),
      discover: async (op, params) => ({ op, params }),
    };`,
  );
  writeFileSync(
    join(workspace, 'code_executor.py'),
    `class ToolError(Exception): pass
def call(tool, args): return {"tool": tool, "args": args}
async def acall(tool, args): return {"awaited": tool, "args": args}
def discover(op, params): return {"op": op, "params": params}
`,
  );
  return workspace;
}

async function bun(workspace: string, program: string): Promise<unknown> {
  const file = join(workspace, `program-${crypto.randomUUID()}.ts`);
  writeFileSync(file, `import './seam.ts';\n${program.replaceAll('/workspace/', `${workspace}/`)}`);
  const { stdout } = await run(BUN, [file], { cwd: workspace, maxBuffer: 64 << 20, timeout: 60_000 });
  return JSON.parse(stdout);
}

async function python(workspace: string, program: string): Promise<unknown> {
  const file = join(workspace, `program-${crypto.randomUUID()}.py`);
  writeFileSync(file, `import sys, json\nsys.path.insert(0, ${JSON.stringify(workspace)})\n${program}`);
  const { stdout } = await run(PYTHON, ['-I', '-S', '-B', file], { maxBuffer: 64 << 20, timeout: 60_000 });
  return JSON.parse(stdout);
}

let workspace = '';
beforeAll(async () => {
  workspace = await workspaceWith('main', TOOLS);
});
afterAll(async () => {
  for (const store of stores) await store.close();
  rmSync(base, { recursive: true });
});

describe('TypeScript wrappers under Bun', () => {
  test('a tool is imported with .js, with .ts or with no ending, from its file, its server or the identifier of its server', async () => {
    const answer = await bun(
      workspace,
      `import { read_text_file } from '/workspace/servers/filesystem/read_text_file.js';
       import { read_text_file as b } from '/workspace/servers/filesystem/read_text_file.ts';
       import c from '/workspace/servers/filesystem/read_text_file';
       import { read_text_file as d } from '/workspace/servers/filesystem/index.js';
       import * as e from '/workspace/servers/filesystem';
       import { sequentialthinking as f } from '/workspace/servers/sequential-thinking/sequentialthinking.js';
       const { sequentialthinking: g } = await import('/workspace/servers/sequential_thinking/sequentialthinking.js');
       const { then_ } = await import('/workspace/servers/filesystem/index.js');
       console.log(JSON.stringify([await read_text_file({ path: 'a' }), await b({ path: 'b' }), await c({ path: 'c' }), await d({ path: 'd' }),
         await e.read_text_file({ path: 'e', head: 2 }), await f({ thought: 'f' }), await g({ thought: 'g' }), await then_()]));`,
    );
    const read = (args: unknown) => ({ tool: 'filesystem.read_text_file', args });
    const think = (thought: string) => ({ tool: 'sequential-thinking.sequentialthinking', args: { thought } });
    expect(answer).toEqual([
      read({ path: 'a' }),
      read({ path: 'b' }),
      read({ path: 'c' }),
      read({ path: 'd' }),
      read({ path: 'e', head: 2 }),
      think('f'),
      think('g'),
      { tool: 'filesystem.then', args: {} },
    ]);
  });

  test('discovery asks the catalog', async () => {
    const answer = await bun(
      workspace,
      `import { listServers, listTools, searchTools, getTool } from '/workspace/servers/discovery.js';
       console.log(JSON.stringify([await listServers(), await listTools('a'), await listTools(), await searchTools('read file', { limit: 3 }), await getTool('a.b'), await getTool('a', 'b')]));`,
    );
    expect(answer).toEqual([
      { op: 'list_servers', params: {} },
      { op: 'list_tools', params: { server: 'a' } },
      { op: 'list_tools', params: {} },
      { op: 'search_tools', params: { q: 'read file', limit: 3 } },
      { op: 'get_tool', params: { server: 'a', tool: 'b' } },
      { op: 'get_tool', params: { server: 'a', tool: 'b' } },
    ]);
  });

  test('without the runner a call says that there is no channel', async () => {
    writeFileSync(
      join(workspace, 'alone.ts'),
      `import { read_text_file } from './servers/filesystem/read_text_file.ts';
       await read_text_file({ path: 'a' }).catch((error) => console.log(JSON.stringify({ name: error.name, code: error.code })));`,
    );
    const { stdout } = await run(BUN, [join(workspace, 'alone.ts')]);
    expect(JSON.parse(stdout)).toEqual({ name: 'ToolError', code: 'TOOL_CHANNEL_UNAVAILABLE' });
  });
});

describe('Python wrappers under CPython', () => {
  test('a tool is imported from its server or its file, and named through its server', async () => {
    const answer = await python(
      workspace,
      `from servers.filesystem import read_text_file
import servers, servers.everything, servers.filesystem.copy
from servers.sequential_thinking.sequentialthinking import sequentialthinking
print(json.dumps([read_text_file(path="a"), read_text_file("b", head=3), servers.everything.get_sum(a=1, b=2),
  servers.filesystem.copy("x"), servers.sequential_thinking.sequentialthinking(thought="t"), sequentialthinking("u")]))`,
    );
    expect(answer).toEqual([
      { tool: 'filesystem.read_text_file', args: { path: 'a' } },
      { tool: 'filesystem.read_text_file', args: { path: 'b', head: 3 } },
      { tool: 'everything.get-sum', args: { a: 1, b: 2 } },
      { tool: 'filesystem.copy', args: { from: 'x' } },
      { tool: 'sequential-thinking.sequentialthinking', args: { thought: 't' } },
      { tool: 'sequential-thinking.sequentialthinking', args: { thought: 'u' } },
    ]);
  });

  test('arguments whose names are no parameters are given respelled or as they are; falsy ones are sent, left out ones are not', async () => {
    const answer = await python(
      workspace,
      `from servers.filesystem import copy, read_text_file
print(json.dumps([copy(from_="a", to_path="b", more=False), copy("a", **{"to-path": None}), read_text_file(path="", head=0, extra=[])]))`,
    );
    expect(answer).toEqual([
      { tool: 'filesystem.copy', args: { from: 'a', 'to-path': 'b', more: false } },
      { tool: 'filesystem.copy', args: { from: 'a', 'to-path': null } },
      { tool: 'filesystem.read_text_file', args: { path: '', head: 0, extra: [] } },
    ]);
  });

  test('the asynchronous form is awaited', async () => {
    const answer = await python(
      workspace,
      `import asyncio, servers.aio
from servers.aio.filesystem import copy
async def main(): return await asyncio.gather(copy(from_="a"), servers.aio.everything.get_sum(a=1, b=2))
print(json.dumps(asyncio.run(main())))`,
    );
    expect(answer).toEqual([
      { awaited: 'filesystem.copy', args: { from: 'a' } },
      { awaited: 'everything.get-sum', args: { a: 1, b: 2 } },
    ]);
  });

  test('importing one tool loads no other, nor the modules of its types', async () => {
    const answer = await python(
      workspace,
      `import servers.filesystem
before = set(sys.modules)
from servers.filesystem import copy
print(json.dumps([sorted(set(sys.modules) - before), "typing" in sys.modules, dir(servers.filesystem), copy.__doc__.split("\\n")[0]]))`,
    );
    expect(answer).toEqual([['__future__', 'servers.filesystem.copy'], false, ['copy', 'read_text_file', 'then'], 'What copy does.']);
  });

  test('a name in another spelling is taken for the one tool that it can mean', async () => {
    const answer = await python(
      workspace,
      `import asyncio, servers
from servers.filesystem import readTextFile
from servers.aio.filesystem import ReadTextFile
print(json.dumps([readTextFile(path="a"), asyncio.run(ReadTextFile(path="b")), servers.everything.getSum(a=1, b=2)]))`,
    );
    expect(answer).toEqual([
      { tool: 'filesystem.read_text_file', args: { path: 'a' } },
      { awaited: 'filesystem.read_text_file', args: { path: 'b' } },
      { tool: 'everything.get-sum', args: { a: 1, b: 2 } },
    ]);
  });

  test('what is not there is an ordinary error that names what is', async () => {
    const answer = await python(
      workspace,
      `import servers.filesystem, servers.aio
found = []
def attempt(program):
    try: exec(program, {"servers": servers})
    except Exception as error: found.append([type(error).__name__, str(error).split(" (")[0]])
attempt("from servers.filesystem import read_txt_file")
attempt("servers.filesystem.read_txt_file")
attempt("servers.nothing")
attempt("from servers.aio.filesystem import nothing")
attempt("import servers.nothing")
print(json.dumps([found, hasattr(servers.filesystem, "__wrapped__"), hasattr(servers, "__path__")]))`,
    );
    expect(answer).toEqual([
      [
        ['ImportError', "cannot import name 'read_txt_file' from 'servers.filesystem'"],
        ['AttributeError', "servers.filesystem has no tool 'read_txt_file'; did you mean read_text_file?"],
        ['AttributeError', "there is no server 'nothing'"],
        ['ImportError', "cannot import name 'nothing' from 'servers.aio.filesystem'"],
        ['ModuleNotFoundError', "No module named 'servers.nothing'"],
      ],
      false,
      true,
    ]);
  });

  test('discovery asks the catalog', async () => {
    const answer = await python(
      workspace,
      `from servers.discovery import list_servers, list_tools, search_tools, get_tool
print(json.dumps([list_servers(), list_tools("a"), search_tools("read file", limit=3), get_tool("a.b"), get_tool("a", "b")]))`,
    );
    expect(answer).toEqual([
      { op: 'list_servers', params: {} },
      { op: 'list_tools', params: { server: 'a' } },
      { op: 'search_tools', params: { q: 'read file', limit: 3 } },
      { op: 'get_tool', params: { server: 'a', tool: 'b' } },
      { op: 'get_tool', params: { server: 'a', tool: 'b' } },
    ]);
  });
});

/** Checks, imports and calls every tool of a catalog in both languages; each answers with its own address. */
async function expectEveryToolToWork(workspaceDir: string, tools: readonly ToolDefinition[]): Promise<void> {
  const names = [...codeNames(tools).values()];
  const addresses = names.map((name) => `${name.server}.${name.tool}`);
  expect(typeErrorsBelow(workspaceDir)).toEqual([]);
  const typescript = await bun(
    workspaceDir,
    `const answers = [];
     for (const [directory, name] of ${JSON.stringify(names.map((name) => [name.directory, name.typescript]))}) {
       const own = (await import(\`/workspace/servers/\${directory}/\${name}.js\`))[name];
       const gathered = (await import(\`/workspace/servers/\${directory}/index.js\`))[name];
       answers.push([(await own({})).tool, (await gathered({})).tool]);
     }
     console.log(JSON.stringify(answers));`,
  );
  expect(typescript).toEqual(addresses.map((address) => [address, address]));
  const inPython = await python(
    workspaceDir,
    `import asyncio, importlib, inspect
answers = []
for module, name in json.loads(${JSON.stringify(JSON.stringify(names.map((name) => [name.identifier, name.python])))}):
    answer = []
    for package in ("servers.", "servers.aio."):
        function = getattr(importlib.import_module(package + module), name)
        required = [p.name for p in inspect.signature(function).parameters.values() if p.default is p.empty and p.kind is not p.VAR_KEYWORD]
        reply = function(**{key: 1 for key in required})
        answer.append(asyncio.run(reply)["awaited"] if inspect.isawaitable(reply) else reply["tool"])
    answers.append(answer)
print(json.dumps(answers))`,
  );
  expect(inPython).toEqual(addresses.map((address) => [address, address]));
}

/** Every TypeScript file below the workspace's servers, under the strictest settings. */
function typeErrorsBelow(workspaceDir: string): string[] {
  const servers = join(workspaceDir, 'servers');
  const files = readdirSync(servers, { recursive: true, encoding: 'utf8' }).filter((entry) => entry.endsWith('.ts'));
  const program = ts.createProgram(
    files.map((file) => join(servers, file)),
    {
      strict: true,
      noEmit: true,
      noUnusedLocals: true,
      noUncheckedIndexedAccess: true,
      exactOptionalPropertyTypes: true,
      isolatedModules: true,
      erasableSyntaxOnly: true,
      allowImportingTsExtensions: true,
      target: ts.ScriptTarget.ESNext,
      module: ts.ModuleKind.ESNext,
      moduleResolution: ts.ModuleResolutionKind.Bundler,
      lib: ['lib.esnext.d.ts'],
      types: [],
    },
  );
  return (
    ts
      .getPreEmitDiagnostics(program)
      // Tools, and servers, whose names differ only by case are two.
      .filter(({ code }) => code !== 1149 && code !== 1261)
      .map(
        (diagnostic) =>
          `${diagnostic.file?.fileName.replace(servers, '')}: ${ts.flattenDiagnosticMessageText(diagnostic.messageText, '\n')}`,
      )
  );
}

test('a catalog made of hostile names, descriptions and schemas type-checks, imports and calls the right tools', async () => {
  const tools = new Map(fc.sample(hostileTool, 150).map((tool) => [`${tool.server}\0${tool.name}`, tool]));
  // A program cannot write an address that is not well-formed text; such tools are generated, not called.
  const callable = [...tools.values()].filter((tool) => tool.server.isWellFormed() && tool.name.isWellFormed());
  await expectEveryToolToWork(await workspaceWith('hostile', callable), callable);
}, 120_000);

describe.skipIf(fixturesDir === undefined)('the tools of the prepared MCP servers (EXECUTOR_TEST_FIXTURES)', () => {
  test('all type-check, import and call in both languages', async () => {
    const tools = await listFixtureTools(fixturesDir ?? '');
    expect(tools.length).toBeGreaterThan(100);
    await expectEveryToolToWork(await workspaceWith('fixtures', tools), tools);
  }, 180_000);
});
