import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Service, startService } from '../support/start-service.ts';
import { NOT_APPLICABLE, ON_THE_ENDPOINT, THROUGH_THE_ENDPOINT } from './conformance-scenarios.ts';

const run = promisify(execFile);
const suite = fileURLToPath(new URL('../../node_modules/.bin/conformance', import.meta.url));
/** Where `npm install @modelcontextprotocol/inspector` was run: 110 MB that the product does not need. */
const inspector = process.env.EXECUTOR_TEST_INSPECTOR;

let directory: string;
let service: Service;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'conformance-'));
  const dataDir = join(directory, 'data');
  mkdirSync(dataDir);
  const upstream = fileURLToPath(new URL('conformance-upstream.ts', import.meta.url));
  const mcpServers = { suite: { command: process.execPath, args: [upstream], trust: true } };
  writeFileSync(join(dataDir, 'mcp-servers.json'), JSON.stringify({ mcpServers }));
  // The suite shows no key.
  service = await startService(dataDir, { EXECUTOR_ANONYMOUS_ROLE: 'agent' });
}, 150_000);
afterAll(async () => {
  await service?.stop();
  rmSync(directory, { recursive: true, force: true });
});

async function check(scenario: string, query: string): Promise<string> {
  const url = `${service.url}/mcp${query}`;
  const { stdout } = await run(process.execPath, [suite, 'server', '--url', url, '--scenario', scenario], {
    cwd: directory,
    timeout: 50_000,
  });
  return stdout;
}
/** Nothing was checked is no success. */
const PASSED = /Passed: ([1-9]\d*)\/\1, 0 failed, 0 warnings/;

describe.concurrent('the official conformance suite', () => {
  it.each(ON_THE_ENDPOINT)('%s', async (scenario) => {
    expect(await check(scenario, '')).toMatch(PASSED);
  });

  it.each(THROUGH_THE_ENDPOINT)('%s, passed through from an upstream', async (scenario) => {
    expect(await check(scenario, '?mode=passthrough&server=suite')).toMatch(PASSED);
  });
});

it('every scenario for servers is run, or it is said why not', async () => {
  const { stdout } = await run(process.execPath, [suite, 'list', '--server']);
  const scenarios = [...stdout.matchAll(/^ {2}- (\S+)/gm)].map(([, name]) => name);
  expect(new Set([...ON_THE_ENDPOINT, ...THROUGH_THE_ENDPOINT, ...Object.keys(NOT_APPLICABLE)])).toEqual(new Set(scenarios));
});

it('without a key anybody on this machine is the anonymous agent, and no more than that', async () => {
  const ask = (path: string, headers: Record<string, string> = {}) => fetch(`${service.url}${path}`, { headers });
  expect((await ask('/tools')).status).toBe(200);
  expect((await ask('/integrations')).status).toBe(403);
  expect((await ask('/tools', { authorization: 'Bearer cex_wrong' })).status).toBe(401);
  expect((await ask('/tools', { origin: 'https://evil.example' })).status).toBe(403);
});

it('the service does not start with anonymous callers where others can reach it', async () => {
  const dataDir = join(directory, 'open');
  mkdirSync(dataDir);
  const environment = { EXECUTOR_ANONYMOUS_ROLE: 'agent', EXECUTOR_HOST: '0.0.0.0' };
  await expect(startService(dataDir, environment)).rejects.toThrow(/ended with 78/);
  expect(readFileSync(join(dataDir, 'service.log'), 'utf8')).toContain('EXECUTOR_ANONYMOUS_FORCE=true');
});

describe.skipIf(inspector === undefined || !existsSync(inspector))('the official inspector (EXECUTOR_TEST_INSPECTOR)', () => {
  const CALLS: readonly (readonly [string, ...string[]])[] = [
    ['execute', 'language=typescript', 'code=return 1+1'],
    ['search_tools', 'query=text'],
    ['describe_tool', 'tools=["suite.test_simple_text"]'],
    ['resume', 'executionId=exe_00000000000000000000000000'],
  ];
  const bin = join(inspector ?? '', 'node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js');
  const cli = fileURLToPath(new URL('../../packages/cli/bin/executor.js', import.meta.url));
  const targets = {
    http: () => [`${service.url}/mcp`, '--transport', 'http', '--header', `Authorization: Bearer ${service.key}`],
    // As an MCP client starts it: without a key in its configuration.
    stdio: () => [
      process.execPath,
      cli,
      'mcp',
      '-e',
      `EXECUTOR_URL=${service.url}`,
      '-e',
      `EXECUTOR_KEY_FILE=${join(directory, 'data/admin.key')}`,
    ],
  };
  const ask = async (over: 'http' | 'stdio', ...more: string[]) => {
    const { stdout } = await run(process.execPath, [bin, '--cli', ...targets[over](), ...more], { cwd: directory }).catch(
      (error: { stdout: string }) => error,
    );
    return JSON.parse(stdout) as { tools: { name: string }[]; content: { text: string }[] };
  };

  it.each(['http', 'stdio'] as const)('lists every tool over %s', async (over) => {
    expect((await ask(over, '--method', 'tools/list')).tools.map(({ name }) => name)).toEqual(CALLS.map(([name]) => name));
  });

  it.each(CALLS.flatMap(([name, ...given]) => (['http', 'stdio'] as const).map((over) => ({ name, over, given }))))(
    'calls $name over $over',
    async ({ name, over, given }) => {
      const { content } = await ask(over, '--method', 'tools/call', '--tool-name', name, ...given.flatMap((pair) => ['--tool-arg', pair]));
      expect(content[0]?.text).toMatch(/^2$|test_simple_text|EXECUTION_NOT_FOUND/);
    },
  );
});
