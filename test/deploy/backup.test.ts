import { chmod, mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Deployment, newDeployment } from './deployment.ts';

// One service for the whole file; each test goes on from the one before.
let deployment: Deployment;
let file: string;
let executionId: string;

beforeAll(async () => {
  deployment = await newDeployment();
  file = join(deployment.dataDir, '../backup.tgz');
  await mkdir(deployment.dataDir);
  await chmod(deployment.dataDir, 0o777);
  const up = await deployment.run(['up', '--embedded']);
  expect(up.exitCode).toBe(0);
  expect(up.text).toContain('which could write to it');
  expect((await stat(deployment.dataDir)).mode & 0o777).toBe(0o755);
  const body = JSON.stringify({ language: 'typescript', code: 'return "kept"' });
  executionId = JSON.parse((await ask('/execute', `-d '${body}' -H 'Content-Type: application/json'`)).text).executionId;
}, 180_000);

afterAll(async () => {
  await deployment.remove();
}, 60_000);

test('a backup of a running service is one file, readable by its owner alone, and the service goes on', async () => {
  const backup = await deployment.run(['backup', file]);
  expect(backup.text).toContain('holds every secret');
  expect(backup.exitCode).toBe(0);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect((await deployment.run(['status'])).exitCode).toBe(0);
  const again = await deployment.run(['backup', file]);
  expect(again.text).toContain('is there already');
  expect(again.exitCode).toBe(2);
});

test('a restore refuses to replace a history, and does so with --force', async () => {
  expect((await deployment.run(['restore', file])).text).toContain("'./deploy.sh down' first");
  await deployment.run(['down']);
  const refused = await deployment.run(['restore', file]);
  expect(refused.text).toContain('--force');
  expect(refused.exitCode).toBe(1);
  expect((await deployment.run(['restore', file, '--force'])).exitCode).toBe(0);
}, 60_000);

test('restored into an empty data directory, history and key are there', async () => {
  await deployment.shell('rm -rf "$EXECUTOR_DATA_DIR"');
  expect((await deployment.run(['restore', file])).exitCode).toBe(0);
  expect((await deployment.run(['up'])).exitCode).toBe(0);
  expect(JSON.parse((await ask(`/executions/${executionId}`)).text)).toMatchObject({ status: 'succeeded', result: 'kept' });
}, 120_000);

test('what is no backup is refused', async () => {
  const end = await deployment.run(['restore', join(import.meta.dirname, 'backup.test.ts')]);
  expect(end.text).toContain('is no backup');
  expect(end.exitCode).toBe(2);
});

const ask = (path: string, options = '') =>
  deployment.shell(
    `curl -sS http://127.0.0.1:${deployment.port}${path} -H "Authorization: Bearer $(cat "$EXECUTOR_DATA_DIR/admin.key")" ${options}`,
  );
