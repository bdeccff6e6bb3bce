import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { dockerAnswers } from '../support/containers.ts';
import { dockerRunFlags } from './docker-run.ts';
import { type Manifest, ofKind, onlyContainer, parseManifests, ROOT, render } from './manifests.ts';

const run = promisify(execFile);
const docker = (...args: readonly string[]): Promise<{ stdout: string }> => run('docker', [...args], { cwd: ROOT, timeout: 60_000 });
const answers = await dockerAnswers();

describe.skipIf(!answers)(
  `the home overlay's stores under Docker as their pods are confined${answers ? '' : ' (no Docker engine answers)'}`,
  () => {
    const names: string[] = [];
    let directory = '';
    let secrets: Readonly<Record<string, Readonly<Record<string, string>>>> = {};
    let manifests: readonly Manifest[] = [];

    beforeAll(async () => {
      manifests = await render('k8s/overlays/home');
      directory = await mkdtemp(join(tmpdir(), 'stores-'));
      await chmod(directory, 0o755);
      const { stdout } = await run(join(ROOT, 'k8s/make-secrets.sh'), ['home']);
      secrets = Object.fromEntries(
        ofKind<{ data: Record<string, string> }>(parseManifests(stdout), 'Secret').map(({ metadata, data }) => [
          metadata.name,
          Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(value, 'base64').toString()])),
        ]),
      );
    });
    afterAll(async () => {
      for (const name of names) await docker('rm', '--force', '--volumes', name);
      await rm(directory, { recursive: true, force: true });
    });

    test('Redis is ready, knows the users by their passwords, and lets a worker neither enqueue nor look around', async () => {
      const name = await start('redis');
      const { readinessProbe } = onlyContainer(manifests, 'redis');
      await expect.poll(() => probe(name, readinessProbe?.exec?.command), { timeout: 30_000 }).toMatch(/PONG/);
      const ask = async (role: string, ...command: readonly string[]): Promise<string> => {
        const url = new URL(secrets[role]?.['redis-url']?.trim() ?? '');
        url.hostname = '127.0.0.1';
        const { stdout } = await docker('exec', name, 'redis-cli', '--no-auth-warning', '-u', String(url), ...command);
        return stdout.trim();
      };
      expect(await ask('worker', 'PING')).toBe('PONG');
      expect(await ask('gateway', 'SET', 'executor:probe:gateway-x', '1')).toBe('OK');
      expect(await ask('worker', 'GET', 'executor:probe:gateway-x')).toContain('NOPERM');
      expect(await ask('worker', 'LPUSH', 'executor:queue:executions:wait', 'exe_1')).toContain('NOPERM');
      expect(await ask('worker', 'CONFIG', 'GET', '*')).toContain('NOPERM');
    });

    test('PostgreSQL is ready, with a role that is no superuser', { timeout: 120_000 }, async () => {
      const name = await start('postgres');
      const { readinessProbe } = onlyContainer(manifests, 'postgres');
      await expect.poll(() => probe(name, readinessProbe?.exec?.command), { timeout: 60_000 }).toBe('');
      const url = new URL(secrets.gateway?.['database-url']?.trim() ?? '');
      url.hostname = '127.0.0.1';
      const { stdout } = await docker(
        'exec',
        name,
        'psql',
        String(url),
        '-Atc',
        'select current_user, usesuper from pg_user where usename = current_user',
      );
      expect(stdout.trim()).toBe('executor|f');
    });

    /** A container with the pod's flags, its Secret and its ConfigMap as files. */
    async function start(store: 'redis' | 'postgres'): Promise<string> {
      const name = `ce-k8s-${store}-${randomUUID()}`;
      names.push(name);
      const { image = '', args = [] } = onlyContainer(manifests, store);
      // In the official images that user is 999, as the pod says; in a stand-in it may be another.
      const [uid = 0, gid = 0] = await Promise.all(
        ['-u', '-g'].map(async (what) => Number((await docker('run', '--rm', '--entrypoint', 'id', image, what, store)).stdout)),
      );
      const flags = await dockerRunFlags(manifests, store, { secret: secrets[store] ?? {}, directory, user: { uid, gid } });
      await docker('run', '--detach', '--name', name, '--network', 'none', ...flags, image, ...args);
      return name;
    }

    const probe = (name: string, command: readonly string[] = []): Promise<string> =>
      docker('exec', name, ...command).then(({ stdout }) => stdout.trim(), String);
  },
);
