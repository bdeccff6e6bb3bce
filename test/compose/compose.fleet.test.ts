import { createHash } from 'node:crypto';
import { cp, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { dockerAnswers } from '../support/containers.ts';
import { type CommandEnd, type ComposeDeployment, lines, newComposeDeployment } from './compose-deployment.ts';
import { LOOK_AROUND, TRY_TO_CONNECT } from './hostile-look.ts';
import { everySecret, everyTarget } from './what-a-fleet-holds.ts';

const TOKEN = 'sesame-of-the-upstream';
const WEBHOOK_SECRET = 'sesame-of-the-webhooks';
/** What `up` fills in from its caller's environment. */
const REFERENCE = ['$', '{TOKEN_OF_TINY}'].join('');
const digest = (text: string) => createHash('sha256').update(text).digest('hex');
const reachable = await dockerAnswers();

// One fleet for the whole file; each test goes on from the one before.
describe.skipIf(!reachable)(`the fleet in containers${reachable ? '' : ' (skipped: no Docker engine answers)'}`, () => {
  let fleet: ComposeDeployment;
  let firstUp: CommandEnd;
  let settings: Record<string, string>;

  beforeAll(async () => {
    fleet = await newComposeDeployment();
    const servers = join(fleet.place, 'servers');
    await mkdir(servers);
    await cp(join(import.meta.dirname, 'tiny-server.mjs'), join(servers, 'tiny-server.mjs'));
    await mkdir(fleet.dataDir, { mode: 0o700 });
    const tiny = { command: 'node', args: [join(servers, 'tiny-server.mjs')], env: { TOKEN: REFERENCE }, trust: true };
    await writeFile(join(fleet.dataDir, 'mcp-servers.json'), JSON.stringify({ mcpServers: { tiny } }), { mode: 0o600 });
    await writeFile(join(fleet.place, 'webhook-secret'), `${WEBHOOK_SECRET}\n`, { mode: 0o600 });
    settings = {
      EXECUTOR_MCP_MOUNTS: `${servers}:ro`,
      TOKEN_OF_TINY: TOKEN,
      EXECUTOR_APPROVAL_WEBHOOK_SECRET_FILE: join(fleet.place, 'webhook-secret'),
    };
    firstUp = await fleet.deploy(['up', '--docker'], settings);
  }, 900_000);

  afterAll(() => fleet?.remove(), 120_000);

  const runProgram = async (language: string, code: string, args: unknown = {}) =>
    (await fleet.ask('/execute', { language, code, args })).body;

  test('up builds, makes secrets, waits until every container is healthy and shows what the first programs answered', async () => {
    expect(firstUp.text).toContain('9592 primes below 100,000');
    expect(firstUp.text).toContain('2**64 = 18446744073709551616');
    expect(firstUp.exitCode).toBe(0);
    const key = join(fleet.dataDir, 'admin.key');
    expect(firstUp.text).toContain(`$(cat ${key})`);
    expect((await stat(key)).mode & 0o777).toBe(0o600);
  });

  test('status says which containers there are; a second up leaves them alone', async () => {
    const status = await fleet.deploy(['status']);
    expect(status.text).toMatch(/worker +1 healthy/);
    expect(status.exitCode).toBe(0);
    const before = await fleet.containers('worker');
    const again = await fleet.deploy(['up'], settings);
    expect(again.text).toContain('It runs already');
    expect(again.exitCode).toBe(0);
    expect(await fleet.containers('worker')).toEqual(before);
    const other = await fleet.deploy(['up'], { ...settings, EXECUTOR_LOG_LEVEL: 'debug' });
    expect(other.text).toContain('other settings (EXECUTOR_LOG_LEVEL)');
    expect(other.exitCode).toBe(1);
  }, 120_000);

  test('another fleet on the same port says that it is taken and starts nothing', async () => {
    const taken = await fleet.deploy(['up', '--docker'], {
      EXECUTOR_DATA_DIR: join(fleet.place, 'other'),
      EXECUTOR_COMPOSE_PROJECT: `${fleet.project}-other`,
    });
    expect(taken.text).toMatch(/Port \d+ is in use/);
    expect(taken.exitCode).toBe(6);
    expect((await fleet.docker('ps', '--all', '--quiet', '--filter', `label=com.docker.compose.project=${fleet.project}-other`)).text).toBe(
      '',
    );
  }, 180_000);

  test('a base image that is nowhere: up, which takes containers by itself where an engine answers, names it and says how to bring it', async () => {
    const missing = { EXECUTOR_DATA_DIR: join(fleet.place, 'other'), EXECUTOR_REDIS_IMAGE: 'localhost:1/redis:none' };
    const up = await fleet.deploy(['up'], missing);
    expect(up.text).toContain('The image localhost:1/redis:none is not here and could not be pulled');
    expect(up.exitCode).toBe(4);
  }, 180_000);

  test('a program calls a tool of a stdio server that lives in mcp-proxy; that server sees its own token and no secret of ours', async () => {
    const answer = await runProgram('typescript', 'return await tools.tiny.look({})');
    expect(answer).toMatchObject({
      status: 'succeeded',
      result: { token: digest(TOKEN), secrets: [] },
      toolCalls: [{ tool: 'tiny.look', outcome: 'ok' }],
    });
    expect(JSON.stringify(answer)).not.toMatch(/EXECUTOR_|_URL/);
  });

  test('a running program reaches no container, not the host and not the internet', async () => {
    const answer = await runProgram('typescript', TRY_TO_CONNECT, { targets: await everyTarget(fleet) });
    expect(answer).toMatchObject({ status: 'succeeded', result: [] });
  });

  test('a running program finds no secret in its environment, its files and /proc, and cannot write its root', async () => {
    const secrets = [...(await everySecret(fleet)), TOKEN];
    expect(secrets.length).toBeGreaterThan(10);
    const answer = await runProgram('python', LOOK_AROUND);
    expect(answer.status).toBe('succeeded');
    const { seen, written } = answer.result as { seen: string; written: string[] };
    expect(seen.length).toBeGreaterThan(1_000);
    expect(secrets.filter((secret) => seen.includes(secret))).toEqual([]);
    expect(seen).not.toMatch(/redis:\/\/|postgres:\/\//);
    expect(written).toEqual([]);
  });

  test('the worker container reaches Redis and mcp-proxy, and neither PostgreSQL, the gateway, the host nor the internet', async () => {
    const targets = await everyTarget(fleet);
    const script = `for target in ${targets.join(' ')}; do timeout 2 bash -c "exec 3<>/dev/tcp/\${target/:/\\/}" 2>/dev/null && echo "$target" & done; wait`;
    const open = lines((await fleet.inside('worker', script)).text);
    expect(open.length).toBeGreaterThan(1);
    for (const target of open) expect(target).toMatch(/:(6379|9092)$/);
    expect((await fleet.inside('worker', 'RES_OPTIONS="timeout:1 attempts:1" getent hosts postgres gateway')).text.trim()).toBe('');
  }, 120_000);

  test('a worker container holds two secrets, its own; none is in an environment or a command line of any container', async () => {
    expect(lines((await fleet.inside('worker', 'ls /run/secrets')).text)).toEqual(['worker-internal-key', 'worker-redis-url']);
    // What upstream servers get is in their own environment, by design.
    // TOKEN is in the environment of the server that it is for, by design.
    const secrets = [...(await everySecret(fleet)), WEBHOOK_SECRET];
    for (const service of ['gateway', 'worker', 'mcp-proxy', 'redis', 'postgres']) {
      const [id = ''] = await fleet.containers(service);
      const inspected = (await fleet.docker('inspect', id)).text;
      const processes = (await fleet.inside(service, 'cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr "\\0" "\\n"')).text;
      expect(secrets.filter((secret) => inspected.includes(secret) || processes.includes(secret))).toEqual([]);
    }
  });

  test('the secret of webhooks, given as a file, is one of mcp-proxy', async () => {
    expect((await fleet.inside('mcp-proxy', 'cat "$EXECUTOR_APPROVAL_WEBHOOK_SECRET_FILE"')).text).toBe(`${WEBHOOK_SECRET}\n`);
  });

  test('a Prometheus on the networks stores and work reads the metrics of all three, those of the gateway with a key', async () => {
    const key = (await readFile(join(fleet.dataDir, 'admin.key'), 'utf8')).trim();
    const urls = ['http://worker:9093/metrics', 'http://mcp-proxy:9092/metrics', 'http://gateway:9091/metrics'];
    const script = `for (const url of ${JSON.stringify(urls)}) {
      const response = await fetch(url, { headers: url.includes('gateway') ? { authorization: 'Bearer ' + process.argv[1] } : {} });
      console.log(response.status, (await response.text()).includes('process_resident_memory_bytes'));
    }`;
    const [proxy = ''] = await fleet.containers('mcp-proxy');
    const end = await fleet.docker('exec', proxy, 'node', '--input-type=module', '--eval', script, key);
    expect(lines(end.text)).toEqual(['200 true', '200 true', '200 true']);
  });

  test.each(['gateway', 'worker', 'mcp-proxy'])(
    'the %s runs as a user without capabilities on a root that cannot be written',
    async (service) => {
      const end = await fleet.inside(
        service,
        'id -u; grep -h "^Cap\\|^NoNewPrivs" /proc/self/status | tr "\\n\\t" "  "; touch /app/x /usr/x /x',
      );
      expect(end.text).toMatch(/^101\d\d\n/);
      expect(end.text).toMatch(/CapEff: +0+ .*CapBnd: +0+ .*NoNewPrivs: +1/);
      expect(end.text.match(/Read-only file system/g)).toHaveLength(3);
    },
  );

  test('a session keeps variables and files in the worker container, and what a program leaves is kept', async () => {
    const next = async (code: string) => (await fleet.ask('/execute', { language: 'python', code, sessionId: 'kept' })).body;
    expect(await next('x = 41\nwith open("/workspace/n.txt", "w") as file:\n    file.write("seven")')).toMatchObject({
      status: 'succeeded',
    });
    expect(await next('[x + 1, open("/workspace/n.txt").read()]')).toMatchObject({ status: 'succeeded', result: [42, 'seven'] });

    const leaving =
      'import os, json\nos.mkdir("artifacts")\nwith open("artifacts/rows.json", "w") as file:\n    json.dump({"rows": 3}, file)';
    const { executionId } = await runProgram('python', leaving);
    expect((await fleet.ask(`/executions/${executionId}/artifacts/rows.json`)).body).toEqual({ rows: 3 });
  });

  test('a worker that is killed mid-run leaves a truthful end', async () => {
    const code = 'await tools.tiny.echo({ text: "once" }); await new Promise((wake) => setTimeout(wake, 60_000))';
    const { executionId } = (await fleet.ask('/execute', { language: 'typescript', code, wait: false, timeoutMs: 120_000 })).body;
    await expect.poll(async () => (await fleet.ask(`/executions/${executionId}`)).body.toolCalls, { timeout: 20_000 }).toHaveLength(1);
    const [worker = ''] = await fleet.containers('worker');
    await fleet.docker('kill', '--signal', 'KILL', worker);
    await expect.poll(async () => (await fleet.ask(`/executions/${executionId}`)).body.status, { timeout: 20_000 }).toBe('failed');
    expect((await fleet.ask(`/executions/${executionId}`)).body).toMatchObject({ error: { code: 'WORKER_LOST' }, effects: 'some' });
  }, 90_000);

  test('with two workers both run programs', async () => {
    const scaled = await fleet.deploy(['scale', '2']);
    expect(scaled.text).toContain('Scaling to 2 workers');
    expect(scaled.exitCode).toBe(0);
    const workers = await fleet.containers('worker');
    expect(workers).toHaveLength(2);
    const ends = await Promise.all(
      Array.from({ length: 40 }, () => runProgram('typescript', 'await new Promise((wake) => setTimeout(wake, 300)); return 1')),
    );
    expect(ends.filter(({ status }) => status !== 'succeeded')).toEqual([]);
    for (const id of workers) expect((await fleet.docker('logs', id)).text).toContain('exe_');
  }, 180_000);

  test('what was backed up comes back after everything was removed: history, keys and sealed secrets', async () => {
    const { key } = (await fleet.ask('/keys', { name: 'of an agent', role: 'agent' })).body as { key: string };
    const before = (await fleet.ask('/execute', { language: 'python', code: '6 * 7' }, key)).body;
    const sealed = {
      slug: 'sealed',
      kind: 'mcp',
      command: 'node',
      args: [join(fleet.place, 'servers/tiny-server.mjs')],
      env: { TOKEN: 'sealed-token' },
      trust: true,
    };
    expect((await fleet.ask('/integrations', sealed)).status).toBe(201);
    const file = join(fleet.place, 'backup.tgz');
    const backup = await fleet.deploy(['backup', file]);
    expect(backup.exitCode).toBe(0);
    expect((await stat(file)).mode & 0o777).toBe(0o600);

    const refused = await fleet.deploy(['down']).then(() => fleet.deploy(['restore', file]));
    expect(refused.text).toContain("'--force' puts the backup in its place");
    expect(refused.exitCode).toBe(1);

    await fleet.wipe();
    const other = { ...settings, EXECUTOR_DATA_DIR: join(fleet.place, 'data/restored') };
    const restored = await fleet.deploy(['restore', file], other);
    expect(restored.text).toContain('✓ Restored');
    expect((await fleet.deploy(['up'], other)).exitCode).toBe(0);
    expect((await fleet.ask(`/executions/${before.executionId}`, undefined, key)).body).toMatchObject({ status: 'succeeded', result: 42 });
    const admin = (await readFile(join(fleet.dataDir, 'restored/admin.key'), 'utf8')).trim();
    expect(admin).toBe((await readFile(join(fleet.dataDir, 'admin.key'), 'utf8')).trim());
    const call = async () => (await fleet.ask('/execute', { language: 'typescript', code: 'return await tools.sealed.look({})' })).body;
    await expect
      .poll(call, { timeout: 30_000, interval: 1_000 })
      .toMatchObject({ status: 'succeeded', result: { token: digest('sealed-token') } });
  }, 300_000);
});
