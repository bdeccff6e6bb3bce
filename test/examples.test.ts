import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { docsBlocks } from './support/docs-blocks.ts';
import { freePort } from './support/free-port.ts';
import { type Service, startService } from './support/start-service.ts';

// The `sh` blocks of each example's README as they stand, and its files; a service for all of them.
const ROOT = fileURLToPath(new URL('../', import.meta.url));
const COMMANDS_TIMEOUT_MS = 100_000;

let home: string;
let service: Service;
let trackerPort: number;
const started = new Set<ChildProcess>();

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'examples-'));
  mkdirSync(join(home, 'data'));
  trackerPort = await freePort();
  service = await startService(join(home, 'data'), { EXECUTOR_POOL_TYPESCRIPT: '1', EXECUTOR_POOL_PYTHON: '1' });
  const added = await typed('./executor add --name notes node "$PWD/examples/tutorial/notes-server.mjs"');
  expect(added.code, added.err).toBe(0);
}, 150_000);

afterAll(async () => {
  for (const { pid } of started) endGroup(pid);
  await service?.stop();
  rmSync(home, { recursive: true, force: true });
});

interface Typed {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Commands in a shell in the checkout. `onError` gets what has come out on the error stream so far. */
function typed(commands: string, more: Record<string, string> = {}, onError: (text: string) => void = () => undefined): Promise<Typed> {
  const child = spawn('bash', ['-euo', 'pipefail', '-c', commands.replaceAll('4010', String(trackerPort))], {
    cwd: ROOT,
    env: {
      HOME: home,
      LANG: 'C.UTF-8',
      PYTHONDONTWRITEBYTECODE: '1',
      PATH: [join(process.execPath, '..'), process.env.PATH ?? '/usr/bin:/bin'].join(':'),
      EXECUTOR_URL: service.url,
      EXECUTOR_KEY_FILE: join(home, 'data/admin.key'),
      ...more,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: COMMANDS_TIMEOUT_MS,
    // A group of its own: what a block leaves in the background is ended with it.
    detached: true,
  });
  started.add(child);
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk) => {
    out += String(chunk);
  });
  child.stderr.on('data', (chunk) => {
    err += String(chunk);
    onError(err);
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, out, err }));
  });
}

const blocksOf = (example: string): string[] =>
  docsBlocks(`../examples/${example}/README.md`)
    .filter(({ language }) => language === 'sh')
    .map(({ code }) => code);

/** Open WebUI brings pydantic; where this machine's Python lacks it, what the tool needs of it is put in its place. */
const PYDANTIC = `
try:
    import pydantic
except ImportError:
    from types import ModuleType
    class BaseModel:
        def __init__(self, **values):
            for name in type(self).__annotations__:
                setattr(self, name, values.get(name, getattr(type(self), name, None)))
    sys.modules["pydantic"] = ModuleType("pydantic")
    sys.modules["pydantic"].BaseModel = BaseModel
    sys.modules["pydantic"].Field = lambda default, description: default
`;

const keyIn = (name: string): string => readFileSync(join(home, name), 'utf8').trim();

test('issue triage labels by itself, waits for a person before it closes, and then ends with its result', async () => {
  const [before = '', run = ''] = blocksOf('issue-triage');
  const ready = await typed(before);
  expect(ready.code, ready.err).toBe(0);
  const decisions: Promise<Typed>[] = [];
  const ended = await typed(run, {}, (text) => {
    const [, approval] = /executor approvals approve (apr_\w+)/.exec(text) ?? [];
    if (approval === undefined || decisions.length > 0) return;
    decisions.push(
      issues().then(async (asked) => {
        expect(asked.map(({ labels }) => labels)).toEqual([['bug'], ['feature'], ['bug', 'duplicate'], []]);
        expect(asked.map(({ state }) => state)).toEqual(['open', 'open', 'open', 'open']);
        return typed(`./executor approvals approve ${approval}`);
      }),
    );
  });
  expect(await Promise.all(decisions)).toMatchObject([{ code: 0 }]);
  expect(ended.code, ended.err).toBe(0);
  expect(JSON.parse(ended.out)).toEqual({ labels: { bug: 2, feature: 1, duplicate: 1, question: 1 }, closed: [3] });
  expect((await issues()).map(({ state }) => state)).toEqual(['open', 'open', 'closed', 'open']);
}, 120_000);

test('an agent over MCP searches, describes, runs one program and answers', async () => {
  const [commands = ''] = blocksOf('agent-loop');
  const { code, out, err } = await typed(commands);
  expect(code, err).toBe(0);
  expect(out).toContain('Promised and still open: Please add a dark mode\n');
  expect([...err.matchAll(/^→ (\w+)/gm)].map(([, tool]) => tool)).toEqual(['search_tools', 'describe_tool', 'execute']);
}, 120_000);

test('the Open WebUI tool searches, runs programs, and says where a person decides', async () => {
  expect((await typed(blocksOf('open-webui')[0] ?? 'exit 9')).code).toBe(0);
  const said = await python('open-webui', keyIn('open-webui.key'), [
    'from code_executor import Tools',
    'tools = Tools()',
    'tools.valves = Tools.Valves(url=os.environ["EXECUTOR_URL"], key=os.environ["EXECUTOR_KEY"])',
    'print(json.dumps([',
    '  tools.search_tools("list issues"),',
    '  tools.run_program("from servers.tracker import list_issues\\nlen(list_issues())"),',
    '  tools.run_program("1 / 0"),',
    "  tools.run_program(\"from servers.tracker import create_issue\\ncreate_issue(body={'title': 'x'})\"),",
    ']))',
  ]);
  const [found, ran, failed, gated] = said as string[];
  expect(found).toContain('list_issues');
  expect(JSON.parse(ran ?? '')).toEqual({ result: 4, printed: '' });
  expect(failed).toContain('ZeroDivisionError');
  expect(gated).toMatch(
    /^tracker\.create_issue needs a person's decision at http.*\/approvals\/apr_\w+; then call resume_program with exe_/,
  );
  const [, approval = ''] = /(apr_\w+)/.exec(gated ?? '') ?? [];
  const [, execution = ''] = /(exe_\w+)/.exec(gated ?? '') ?? [];
  expect((await typed(`./executor approvals deny ${approval} --reason 'not now'`)).code).toBe(0);
  const resumed = await python('open-webui', keyIn('open-webui.key'), [
    'from code_executor import Tools',
    'tools = Tools()',
    'tools.valves = Tools.Valves(url=os.environ["EXECUTOR_URL"], key=os.environ["EXECUTOR_KEY"])',
    `print(json.dumps([tools.resume_program("${execution}")]))`,
  ]);
  expect(resumed).toEqual([expect.stringContaining('not now')]);
}, 120_000);

test('the LiteLLM tool answers the calls that a model makes, right and wrong', async () => {
  expect((await typed('./executor keys create litellm -o ~/litellm.key')).code).toBe(0);
  const said = await python('litellm', keyIn('litellm.key'), [
    'from types import SimpleNamespace as Object',
    'from code_executor import TOOLS, handle',
    'name = TOOLS[0]["function"]["name"]',
    'call = lambda arguments: handle(Object(id="call_1", function=Object(name=name, arguments=arguments)))',
    'print(json.dumps([',
    '  call(json.dumps({"language": "typescript", "code": "console.log(1); return (await tools.tracker.list_issues({})).length"})),',
    '  call("{"),',
    '  call(json.dumps({"language": "typescript", "code": "return ("})),',
    ']))',
  ]);
  const [ran, cut, wrong] = said as { role: string; tool_call_id: string; content: string }[];
  expect(ran).toMatchObject({ role: 'tool', tool_call_id: 'call_1' });
  expect(JSON.parse(ran?.content ?? '')).toEqual({ status: 'succeeded', result: 4, output: '1\n' });
  expect(cut?.content).toContain('do not fit the tool');
  expect(JSON.parse(wrong?.content ?? '')).toMatchObject({ status: 'failed', error: { code: 'SYNTAX_ERROR' } });
}, 120_000);

test('data analysis answers figures from SQL over a file, and leaves a file behind', async () => {
  const [run = '', files = ''] = blocksOf('data-analysis');
  const ended = await typed(run);
  expect(ended.code, ended.err).toBe(0);
  const { result, output } = JSON.parse(readFileSync(join(home, 'analysis.json'), 'utf8')) as { result: unknown; output: string };
  expect(output).toBe('6 orders, 1 lines left out\n');
  expect(result).toEqual({
    months: [
      { month: '2026-01', region: 'north', amount: 280.5 },
      { month: '2026-01', region: 'south', amount: 80 },
      { month: '2026-02', region: 'north', amount: 241 },
      { month: '2026-02', region: 'south', amount: 460.25 },
    ],
    median: 140.25,
    skippedLines: [8],
  });
  expect((await typed(files)).out).toContain('months.csv');
}, 120_000);

async function python(example: string, key: string, lines: readonly string[]): Promise<unknown> {
  const program = ['import json, os, sys', `sys.path.insert(0, "examples/${example}")`, PYDANTIC, ...lines].join('\n');
  const ended = await typed('python3 -c "$PROGRAM"', { PROGRAM: program, EXECUTOR_KEY: key });
  expect(ended.code, ended.err).toBe(0);
  return JSON.parse(ended.out);
}

async function issues(): Promise<{ state: string; labels: string[] }[]> {
  return (await (await fetch(`http://127.0.0.1:${trackerPort}/issues`)).json()) as { state: string; labels: string[] }[];
}

function endGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
