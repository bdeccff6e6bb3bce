import { createHash } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { dockerAnswers } from '../support/containers.ts';
import { type CommandEnd, type ComposeDeployment, lines, newComposeDeployment } from './compose-deployment.ts';
import { LOOK_AROUND, TRY_TO_CONNECT } from './hostile-look.ts';
import { OLDER, restoreOlderVolume } from './older-volume/restore-older-volume.ts';
import { everySecret, everyTarget } from './what-a-fleet-holds.ts';

const reachable = await dockerAnswers();

// One fleet for the whole file, over the volume of an older version; each test goes on from the one before.
describe.skipIf(!reachable)(`a fleet whose sandboxes are containers${reachable ? '' : ' (skipped: no Docker engine answers)'}`, () => {
  let fleet: ComposeDeployment;
  let firstUp: CommandEnd;

  beforeAll(async () => {
    fleet = await newComposeDeployment();
    await mkdir(fleet.dataDir, { mode: 0o700 });
    await restoreOlderVolume(fleet);
    firstUp = await fleet.deploy(['up', '--docker'], { EXECUTOR_SANDBOX: 'container' });
  }, 900_000);

  afterAll(async () => {
    // Single-use containers are no part of the Compose project: their service removes them.
    await fleet?.deploy(['down']);
    await fleet?.remove();
  }, 120_000);

  const execute = async (language: string, code: string, args: unknown = {}) =>
    (await fleet.ask('/execute', { language, code, args }, OLDER.keys.agent)).body;
  const recorded = async (id: string) => (await fleet.ask(`/executions/${id}`, undefined, OLDER.keys.agent)).body;
  const sandboxes = async (): Promise<string[]> => {
    const id = (await fleet.inside('container-pool', 'cat /var/lib/container-pool/id')).text.trim();
    return lines((await fleet.docker('ps', '--all', '--quiet', '--filter', `label=code-executor.container-pool=${id}`)).text);
  };

  test('up makes the service that makes containers, and shows what the first programs answered', async () => {
    expect(firstUp.text).toContain('9592 primes below 100,000');
    expect(firstUp.text).toContain('2**64 = 18446744073709551616');
    expect(firstUp.exitCode).toBe(0);
    expect((await fleet.deploy(['status'])).text).toMatch(/container-pool +1 healthy/);
    expect(await sandboxes()).not.toEqual([]);
  });

  test('an older version’s history, keys and admin key are still what they were', async () => {
    expect((await readFile(join(fleet.dataDir, 'admin.key'), 'utf8')).trim()).toBe(OLDER.keys.admin);
    const { items } = (await fleet.ask('/keys')).body as { items: { name: string }[] };
    expect(items.map(({ name }) => name)).toEqual(['first admin', 'agent of old', 'operator of old', 'revoked']);
    expect((await fleet.ask('/executions', undefined, OLDER.keys.revoked)).status).toBe(401);
    const { answered, called, failed } = OLDER.executions;
    expect(await recorded(answered)).toMatchObject({ status: 'succeeded', result: 42, effects: 'none' });
    expect(await recorded(called)).toMatchObject({ status: 'succeeded', effects: 'some', toolCalls: [{ tool: 'sealed.look' }] });
    expect(await recorded(failed)).toMatchObject({ status: 'failed', error: { code: 'UNCAUGHT' } });
  });

  test('what the older version was running is lost with what it did, and what it had queued runs', async () => {
    const { running, queued } = OLDER.executions;
    await expect
      .poll(() => recorded(running), { timeout: 30_000 })
      .toMatchObject({ status: 'failed', error: { code: 'WORKER_LOST' }, effects: 'some' });
    await expect.poll(() => recorded(queued), { timeout: 30_000 }).toMatchObject({ status: 'succeeded', result: 4 });
  });

  test('an integration of the older version is called with the secret that it sealed, under the policies of then', async () => {
    const token = createHash('sha256').update(OLDER.sealedToken).digest('hex');
    await expect
      .poll(() => execute('typescript', 'return await tools.sealed.look({})'), { timeout: 60_000, interval: 1_000 })
      .toMatchObject({ status: 'succeeded', result: { token } });
    const blocked = await execute('typescript', 'return await tools.sealed.echo({ text: "x" })');
    expect(blocked).toMatchObject({ status: 'failed', toolCalls: [{ tool: 'sealed.echo', outcome: 'TOOL_BLOCKED' }] });
  });

  test('the seal key is replaced while it runs, and the integration goes on with its secret', async () => {
    const rotated = await fleet.deploy(['rotate-seal']);
    expect(rotated.text).toContain('1 of 1 secrets were sealed anew');
    expect(rotated.exitCode).toBe(0);
    const answer = await execute('typescript', 'return (await tools.sealed.look({})).token');
    expect(answer).toMatchObject({ status: 'succeeded', result: createHash('sha256').update(OLDER.sealedToken).digest('hex') });
  });

  test('a running program reaches no container, not the host and not the internet', async () => {
    const answer = await execute('typescript', TRY_TO_CONNECT, { targets: await everyTarget(fleet) });
    expect(answer).toMatchObject({ status: 'succeeded', result: [] });
  });

  test('a running program finds no secret in its environment, its files and /proc, and cannot write its root', async () => {
    const secrets = await everySecret(fleet);
    expect(secrets.length).toBeGreaterThan(10);
    const answer = await execute('python', LOOK_AROUND);
    expect(answer.status).toBe('succeeded');
    const { seen, written } = answer.result as { seen: string; written: string[] };
    expect(seen.length).toBeGreaterThan(1_000);
    expect(secrets.filter((secret) => seen.includes(secret))).toEqual([]);
    expect(seen).not.toMatch(/redis:\/\/|postgres:\/\/|docker\.sock/);
    expect(written).toEqual([]);
  });

  test('a worker that is killed mid-run leaves a truthful end, and no container', async () => {
    const code = 'await tools.sealed.look({}); await new Promise((wake) => setTimeout(wake, 60_000))';
    const body = { language: 'typescript', code, wait: false, timeoutMs: 120_000 };
    const executionId = String((await fleet.ask('/execute', body, OLDER.keys.agent)).body.executionId);
    await expect.poll(async () => (await recorded(executionId)).toolCalls, { timeout: 30_000 }).toHaveLength(1);
    const before = await sandboxes();
    expect(before).not.toEqual([]);
    const [worker = ''] = await fleet.containers('worker');
    await fleet.docker('kill', '--signal', 'KILL', worker);
    await expect.poll(async () => (await sandboxes()).filter((id) => before.includes(id)), { timeout: 30_000 }).toEqual([]);
    await expect
      .poll(() => recorded(executionId), { timeout: 30_000 })
      .toMatchObject({ status: 'failed', error: { code: 'WORKER_LOST' }, effects: 'some' });
  }, 120_000);

  test('down leaves no container', async () => {
    const id = (await fleet.inside('container-pool', 'cat /var/lib/container-pool/id')).text.trim();
    expect((await fleet.deploy(['down'])).exitCode).toBe(0);
    const left = await fleet.docker('ps', '--all', '--quiet', '--filter', `label=code-executor.container-pool=${id}`);
    expect(left).toMatchObject({ exitCode: 0, text: '' });
  });
});
