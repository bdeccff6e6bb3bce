import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openShell } from './support/cli.ts';
import { docsBlocks } from './support/docs-blocks.ts';
import { recorded, recordingServer } from './support/recording-entry.ts';
import { type Service, startService } from './support/start-service.ts';

let directory: string;
let service: Service;
let shell: ReturnType<typeof openShell>;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'cli-'));
  mkdirSync(join(directory, 'data'));
  writeFileSync(join(directory, 'notes.txt'), '');
  const mcpServers = { notes: recordingServer(join(directory, 'notes.txt')) };
  writeFileSync(join(directory, 'data/mcp-servers.json'), JSON.stringify({ mcpServers }));
  service = await startService(join(directory, 'data'));
  shell = openShell(directory, { EXECUTOR_URL: service.url, EXECUTOR_KEY: service.key, KEY_FILE: join(directory, 'data/admin.key') });
}, 150_000);

afterAll(async () => {
  await service?.stop();
  rmSync(directory, { recursive: true, force: true });
});

test('what docs/cli.md says works as it stands, without a fault on the way', async () => {
  const script = docsBlocks('cli.md').filter(({ language }) => language === 'sh');
  expect(script.length).toBeGreaterThan(4);
  const { code, out, err } = await shell.bash(script.map((block) => block.code).join('\n'));
  expect([code, err], out).toEqual([0, expect.not.stringContaining('undefined')]);
  expect(readFileSync(join(directory, 'result.txt'), 'utf8')).toBe('ADA\n');
  expect(err).toContain('hello\n');
  expect(JSON.parse(readFileSync(join(directory, 'execution.json'), 'utf8'))).toMatchObject({
    status: 'succeeded',
    result: 'ADA',
    output: 'hello\n',
  });
  expect(statSync(join(directory, 'ci.key')).mode & 0o777).toBe(0o600);
  expect(out).toContain('{"result":{},"jsonrpc":"2.0","id":1}');
  expect(recorded(join(directory, 'notes.txt'))).toContain('note first');
  expect(`${out}${err}`).not.toContain(service.key);
});

test('a program and its shell see the code that it left with, its time out, and its mistakes', async () => {
  const run = (code: string, ...more: string[]) => shell.executor(['run', '-', '-l', 'python', ...more], { stdin: code });
  expect((await run('import sys; sys.exit(7)')).code).toBe(7);
  expect((await run('while True: pass', '--timeout', '300ms')).code).toBe(124);
  const failed = await run('print("before")\nraise ValueError("no")');
  expect([failed.code, failed.out]).toEqual([1, '']);
  expect(failed.err).toMatch(/^before\n[\s\S]*error: UNCAUGHT: .*no[\s\S]*no tool that changes anything was called/);
  const refused = await shell.executor(['run', '-', '--json'], { stdin: 'return 1 +' });
  expect([refused.code, JSON.parse(refused.out).error.code]).toEqual([1, 'SYNTAX_ERROR']);
});

test('Ctrl-C cancels the program that is followed', async () => {
  let isStopped = false;
  const ended = await shell.executor(['run', '-'], {
    stdin: 'console.log("runs"); while (true) {}',
    onError(text, stop) {
      if (!isStopped && text.includes('runs')) stop('SIGINT');
      isStopped ||= text.includes('runs');
    },
  });
  expect([ended.code, ended.out]).toEqual([130, '']);
  const [, id = ''] = /Cancelled (exe_\w+)/.exec(ended.err) ?? [];
  expect((await service.get(`/executions/${id}`)).body).toMatchObject({ status: 'cancelled' });
});

test('a gated program waits, another terminal approves, and it goes on', async () => {
  const { id } = (await service.post('/policies', { pattern: 'notes.note', action: 'require_approval' })).body as { id: string };
  const approving: Promise<unknown>[] = [];
  const ended = await shell.executor(['run', '-'], {
    stdin: "return await tools.notes.note({ text: 'gated' })",
    onError(text) {
      const [, approval] = /executor approvals approve (apr_\w+)/.exec(text) ?? [];
      if (approval !== undefined && approving.length === 0) approving.push(shell.executor(['approvals', 'approve', approval]));
    },
  });
  expect(await Promise.all(approving)).toMatchObject([{ code: 0 }]);
  expect([ended.code, ended.out]).toEqual([0, 'noted gated\n']);

  const left = await shell.executor(['run', '-', '--no-wait'], { stdin: "return await tools.notes.note({ text: 'later' })" });
  expect([left.code, left.out]).toEqual([5, '']);
  const [execution = ''] = /exe_\w+/.exec(left.err) ?? [];
  const denied = await shell.executor(['resume', execution, '--deny', '--reason', 'not now']);
  expect([denied.code, denied.err]).toEqual([1, expect.stringContaining('APPROVAL_DENIED')]);
  expect(recorded(join(directory, 'notes.txt')).filter((line) => line.includes('later'))).toEqual([]);
  await shell.executor(['policies', 'remove', id]);
});

test('what a tool says cannot steer the terminal, and its mistakes name its arguments', async () => {
  const text = 'a\u001b[2J\u202eb';
  expect((await shell.executor(['call', 'notes', 'note', '--text', text])).out).toBe('noted a\\u001b[2J\\u202eb\n');
  const wrong = await shell.executor(['call', 'notes', 'note', '--txet', 'x']);
  expect([wrong.code, wrong.err]).toEqual([2, expect.stringContaining('did you mean --text?')]);
  expect((await shell.executor(['call', 'nots', 'note', '--text', 'x'])).code).toBe(6);
  expect((await shell.executor(['call', 'notes', 'note', '{}'])).err).toContain('INVALID_ARGUMENTS');
});

test('an exported catalog is a document that can be added again, with a tool for every operation', async () => {
  const file = join(directory, 'self.json');
  expect((await shell.executor(['generate', 'openapi', '-o', file])).code).toBe(0);
  const { paths } = JSON.parse(readFileSync(file, 'utf8')) as { paths: object };
  const added = await shell.executor(['add', file, '--name', 'self', '--json']);
  expect(JSON.parse(added.out).integration).toMatchObject({ kind: 'openapi', toolCount: Object.keys(paths).length });
  expect((await shell.executor(['integrations', 'remove', 'self'])).code).toBe(0);
});

test('an unknown key is exit code 4, and comes out nowhere', async () => {
  const { code, out, err } = await shell.executor(['whoami'], { env: { EXECUTOR_KEY: 'cex_notarealkeynotarealkey' } });
  expect([code, out]).toEqual([4, '']);
  expect(err).toContain('The key came from EXECUTOR_KEY');
  expect(err).not.toContain('notarealkey');
});

test("the key of this machine's service goes to no other machine", async () => {
  const elsewhere = await shell.executor(['--url', 'http://executor.invalid:9', 'whoami'], {
    env: { EXECUTOR_KEY: '', EXECUTOR_DATA_DIR: join(directory, 'data') },
  });
  expect(elsewhere.code).toBe(3);
  const here = await shell.executor(['whoami'], { env: { EXECUTOR_KEY: '', EXECUTOR_DATA_DIR: join(directory, 'data') } });
  expect([here.code, here.out]).toEqual([0, expect.stringContaining('admin')]);
});
