import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { docsBlocks } from './support/docs-blocks.ts';
import { freePort } from './support/free-port.ts';

// What docs/tutorial.md says, in its order: each test goes on from the one before.
const ROOT = fileURLToPath(new URL('../', import.meta.url));
const COMMANDS_TIMEOUT_MS = 170_000;

let home: string;
let environment: Record<string, string>;
let ports: { service: number; tracker: number };
const blocks = docsBlocks('tutorial.md').filter(({ language }) => language === 'sh');
const terminals = new Set<ChildProcess>();

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'newcomer-'));
  ports = { service: await freePort(), tracker: await freePort() };
  environment = {
    HOME: home,
    TMPDIR: home,
    LANG: 'C.UTF-8',
    PATH: [join(process.execPath, '..'), process.env.PATH ?? '/usr/bin:/bin'].join(':'),
    EXECUTOR_PORT: String(ports.service),
    // Few warm sandboxes: other suites share these cores.
    EXECUTOR_POOL_TYPESCRIPT: '1',
    EXECUTOR_POOL_PYTHON: '1',
    ...(process.env.CODE_EXECUTOR_TEST_RUN === undefined ? {} : { CODE_EXECUTOR_TEST_RUN: process.env.CODE_EXECUTOR_TEST_RUN }),
  };
});

afterAll(async () => {
  try {
    await terminal('./deploy.sh down').end;
  } finally {
    for (const { pid } of terminals) endGroup(pid);
    rmSync(home, { recursive: true, force: true });
  }
}, 180_000);

interface Terminal {
  /** What it shows so far, both streams. */
  shown(): string;
  readonly end: Promise<{ code: number | null; out: string; shown: string }>;
}

/** Commands in a shell of their own, in the checkout, as somebody would type them. */
function terminal(commands: string): Terminal {
  const child = spawn('bash', ['-euo', 'pipefail', '-c', commands], {
    cwd: ROOT,
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: COMMANDS_TIMEOUT_MS,
    // A group of its own: what a block leaves in the background is ended with it.
    detached: true,
  });
  terminals.add(child);
  let out = '';
  let shown = '';
  child.stdout.on('data', (chunk) => {
    out += String(chunk);
    shown += String(chunk);
  });
  child.stderr.on('data', (chunk) => {
    shown += String(chunk);
  });
  return {
    shown: () => shown,
    end: new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code) => resolve({ code, out, shown }));
    }),
  };
}

/** The block of the tutorial with this in it; its ports are those of this run. */
function block(part: string): string {
  const found = blocks.filter(({ code }) => code.includes(part));
  expect(found, `blocks with ${part}`).toHaveLength(1);
  return (found[0]?.code ?? '').replaceAll('9091', String(ports.service)).replaceAll('4010', String(ports.tracker));
}

async function typed(part: string): Promise<string> {
  const { code, shown } = await terminal(block(part)).end;
  expect(code, shown).toBe(0);
  return shown;
}

test('up starts it and the CLI finds it, without a setting', async () => {
  const shown = await typed('deploy.sh up');
  expect(shown).toContain('9592 primes');
  expect(shown).toMatch(/admin/);
}, 180_000);

test('an MCP server and an OpenAPI document are added by their command and their address', async () => {
  const shown = await typed('executor add');
  expect(shown).toMatch(/notes[\s\S]*tracker/);
  expect(shown).toContain("'executor call tracker --help' lists its tools.");
});

test('a search finds the tool, and a call answers what the API says', async () => {
  const shown = await typed('tools search');
  expect(shown).toContain('tracker.list_issues');
  expect(shown).toContain('Please add a dark mode');
});

test('a call that changes something says how it is decided', async () => {
  const { code, shown } = await terminal("./executor call notes add_note --text 'from the tutorial'").end;
  expect(code, shown).toBe(5);
  const [approval = 'none'] = /apr_\w+/.exec(shown) ?? [];
  expect(shown).toContain(`'executor approvals approve ${approval}' decides`);
  const denied = await terminal(`./executor approvals deny ${approval}`).end;
  expect(denied.code, denied.shown).toBe(0);
});

test('a program in each language brings both sources together', async () => {
  const shown = await typed('report.ts');
  expect(shown.match(/4 issues are open/g)).toHaveLength(2);
  expect(shown.match(/Please add a dark mode/g)).toHaveLength(2);
});

test('a program that changes something waits, another terminal approves, and it finishes with its result', async () => {
  const first = terminal(block('close.ts'));
  await expect.poll(first.shown, { timeout: 60_000 }).toMatch(/apr_\w+/);
  const [list = '', approve = ''] = block('approvals list').trim().split('\n');
  const listed = await terminal(list).end;
  expect(listed.shown).toContain('tracker.close_issue');
  const [approval = ''] = /apr_\w+/.exec(listed.shown) ?? [];
  expect(await stateOfIssue(3)).toBe('open');
  const approved = await terminal(approve.replace('apr_…', approval)).end;
  expect(approved.code, approved.shown).toBe(0);
  const ended = await first.end;
  expect([ended.code, ended.out]).toEqual([0, '#3 is closed\n']);
  expect(await stateOfIssue(3)).toBe('closed');
}, 120_000);

test('a generated client type-checks strictly, and a program of one’s own uses it', async () => {
  const shown = await typed('generate typescript');
  expect(shown).toContain('#1 The app crashes when I log in\n#2 Please add a dark mode\n#4 How do I export my data?\n');
}, 120_000);

test('the strict check is one: a wrong argument does not pass', async () => {
  const [check = ''] = /npx tsc[\s\S]*?use-client\.ts/.exec(block('generate typescript')) ?? [];
  const { code, shown } = await terminal(`sed -i "s/'open'/'opened'/" ~/first-client/use-client.ts\n${check}`).end;
  expect(code).not.toBe(0);
  expect(shown).toContain('"opened"');
}, 120_000);

test('down stops it', async () => {
  await typed('deploy.sh down');
  expect((await terminal('./deploy.sh status').end).code).toBe(3);
}, 60_000);

async function stateOfIssue(number: number): Promise<string | undefined> {
  const issues = (await (await fetch(`http://127.0.0.1:${ports.tracker}/issues`)).json()) as { number: number; state: string }[];
  return issues.find((issue) => issue.number === number)?.state;
}

function endGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
