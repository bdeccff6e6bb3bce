import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';

const run = promisify(execFile);
const script = fileURLToPath(new URL('../build.ts', import.meta.url));
let directory: string;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'cli-build-'));
  await run(process.execPath, [script, directory]);
});

afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** The host's own Node, where it is one that cannot run TypeScript. */
const older = existsSync('/usr/bin/node') ? ['/usr/bin/node'] : [];

test.each([process.execPath, ...older])('as built it runs on %s, with nothing beside it', async (node) => {
  const executor = (...args: string[]) =>
    run(node, [join(directory, 'executor.js'), ...args], { cwd: '/', env: { HOME: directory }, timeout: 60_000 });
  expect((await executor('--version')).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  expect((await executor('connect', 'codex', '--dry-run')).stdout).toContain('[mcp_servers.code-executor]');
  await expect(executor('--url', 'http://127.0.0.1:9', 'whoami')).rejects.toMatchObject({
    code: 3,
    stderr: expect.stringContaining('NETWORK_ERROR'),
  });
  await expect(executor('up')).rejects.toMatchObject({ code: 1, stderr: expect.stringContaining('installed without the checkout') });
});
