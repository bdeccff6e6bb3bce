import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type CommandEnd, type Deployment, newDeployment } from './deployment.ts';

// One service for the whole file; each test goes on from the one before.
let deployment: Deployment;
let firstUp: CommandEnd;

beforeAll(async () => {
  deployment = await newDeployment();
  firstUp = await deployment.run(['up', '--embedded']);
}, 180_000);

afterAll(async () => {
  await deployment.remove();
}, 60_000);

test('up waits until the service is ready and shows what the first programs answered', () => {
  expect(firstUp.text).toContain('9592 primes below 100,000');
  expect(firstUp.text).toContain('2**64 = 18446744073709551616');
  expect(firstUp.exitCode).toBe(0);
});

test('the printed curl works when it is pasted', async () => {
  const command = firstUp.text.split('\n').find((line) => line.trim().startsWith('curl '));
  const answer = await deployment.shell(command ?? 'exit 99');
  expect(JSON.parse(answer.text)).toMatchObject({ status: 'succeeded', result: 42 });
});

test('the key file holds the bare key, readable by its owner alone', async () => {
  const end = await deployment.shell('stat -c %a "$EXECUTOR_DATA_DIR/admin.key" && wc -l < "$EXECUTOR_DATA_DIR/admin.key"');
  expect(end.text).toBe('600\n1\n');
});

test('status says that it runs, where and with which pid', async () => {
  const status = await deployment.run(['status']);
  expect(status.text).toContain(`http://127.0.0.1:${deployment.port}`);
  expect(status.text).toContain(`pid ${await recordedPid()}`);
  expect(status.exitCode).toBe(0);
});

test('a second up leaves the running service alone', async () => {
  const pid = await recordedPid();
  const secondUp = await deployment.run(['up']);
  expect(secondUp.text).toContain(`It runs already (pid ${pid})`);
  expect(secondUp.exitCode).toBe(0);
  expect(await recordedPid()).toBe(pid);
});

test('an up with other settings names them and does not touch what runs', async () => {
  const pid = await recordedPid();
  const up = await deployment.run(['up'], { EXECUTOR_LOG_LEVEL: 'debug' });
  expect(up.text).toContain('other settings (EXECUTOR_LOG_LEVEL)');
  expect(up.exitCode).toBe(1);
  expect(await isThere(pid)).toBe(true);
});

test('another up on the same port says which process holds it and starts nothing', async () => {
  const other = await newDeployment();
  try {
    const up = await other.run(['up', '--embedded'], { EXECUTOR_PORT: String(deployment.port) });
    expect(up.text).toContain(`Port ${deployment.port} is in use by process ${await recordedPid()}`);
    expect(up.text).toContain('EXECUTOR_PORT=');
    expect(up.exitCode).toBe(6);
    expect((await other.run(['status'])).exitCode).toBe(3);
  } finally {
    await other.remove();
  }
});

test('logs shows the lines of the service', async () => {
  const logs = await deployment.run(['logs']);
  expect(logs.exitCode).toBe(0);
  expect(JSON.parse(logs.text.trim().split('\n').at(-1) ?? '')).toHaveProperty('msg');
});

test('a service that was killed counts as not running, and the next up starts it again without a step between', async () => {
  const killed = await recordedPid();
  process.kill(Number(killed), 'SIGKILL');
  await expect.poll(() => isThere(killed), { timeout: 20_000 }).toBe(false);
  expect((await deployment.run(['status'])).exitCode).toBe(3);
  const up = await deployment.run(['up']);
  expect(up.text).toContain('9592 primes');
  expect(up.exitCode).toBe(0);
}, 180_000);

test('down leaves no process of the service behind, and a second down is content', async () => {
  const pid = await recordedPid();
  const down = await deployment.run(['down']);
  expect(down.text).toContain(`Stopped (pid ${pid})`);
  // Said when something outlived its SIGTERM.
  expect(down.text).not.toContain('killed');
  expect(down.exitCode).toBe(0);
  expect(await isThere(pid)).toBe(false);
  expect((await deployment.run(['down'])).exitCode).toBe(0);
  expect((await deployment.run(['status'])).exitCode).toBe(3);
}, 60_000);

test('a recycled pid is never taken for the service', async () => {
  await writeFile(join(deployment.dataDir, 'run/service'), `${process.pid} 1\n`);
  expect((await deployment.run(['status'])).exitCode).toBe(3);
  expect((await deployment.run(['down'])).text).toContain('Not running');
});

async function recordedPid(): Promise<string> {
  return (await readFile(join(deployment.dataDir, 'run/service'), 'utf8')).split(' ')[0] ?? '';
}

async function isThere(pid: string): Promise<boolean> {
  const state = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  return state !== null && !/\) Z /.test(state);
}
