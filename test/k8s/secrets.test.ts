import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { complaints } from './kubernetes-schema.ts';
import { type Manifest, ofKind, parseManifests, ROOT, render, workloads } from './manifests.ts';

const run = promisify(execFile);

const PRODUCTION = {
  DATABASE_URL: 'postgres://me:secret@db.example.com/executor?sslmode=require',
  REDIS_URL: 'rediss://redis.example.com:6380',
};

describe.each(['home', 'production'] as const)('the secrets made for %s', (overlay) => {
  const made = makeSecrets(overlay, overlay === 'home' ? {} : PRODUCTION);

  test('are what the Kubernetes API takes', async () => {
    expect(await complaints(await made)).toEqual([]);
  });

  test('are those that the pods ask for, with every file that they read', async () => {
    const secrets = valuesOf(await made);
    for (const { pod, name } of workloads(await render(`k8s/overlays/${overlay}`))) {
      for (const { secret } of pod.volumes ?? []) {
        if (secret?.secretName !== undefined) expect.soft(Object.keys(secrets), name).toContain(secret.secretName);
      }
      const files = pod.containers.flatMap(({ env, volumeMounts }) => [
        ...(env ?? []).flatMap(({ value }) => /^\/run\/secrets\/code-executor\/(.+)/.exec(value ?? '')?.[1] ?? []),
        ...(volumeMounts ?? []).flatMap(({ name: volume, subPath }) => (volume === 'secrets' && subPath ? [subPath] : [])),
      ]);
      expect(Object.keys(secrets[name] ?? {}).sort(), name).toEqual(files.sort());
    }
  });

  test('hold keys as the services know them, the same on both sides', async () => {
    const { gateway, worker, 'mcp-proxy': proxy, redis } = valuesOf(await made);
    expect(gateway?.['admin-key']).toMatch(/^cex_[\w-]{43}\n$/);
    expect(proxy?.['seal-key']).toMatch(/^[0-9a-f]{64}\n$/);
    expect(proxy?.['gateway-internal-key']).toBe(gateway?.['internal-key']);
    expect(proxy?.['worker-internal-key']).toBe(worker?.['internal-key']);
    const keys = [gateway?.['internal-key'], worker?.['internal-key'], proxy?.['grant-key'], proxy?.['seal-key']];
    expect(new Set(keys).size).toBe(4);
    for (const [user, secret] of [
      ['gateway', gateway],
      ['worker', worker],
      ['proxy', proxy],
    ] as const) {
      const url = new URL(secret?.['redis-url']?.trim() ?? '');
      expect(url.username).toBe(user);
      expect(redis?.['users.acl']).toContain(`user ${user} on #${createHash('sha256').update(url.password).digest('hex')} `);
    }
    expect(redis?.['users.acl']).not.toMatch(/@(gateway|worker|proxy)@/);
  });
});

test('the users of Redis are made again, for the passwords that the services have', async () => {
  const { gateway, worker, 'mcp-proxy': proxy, redis } = valuesOf(await makeSecrets('home', {}));
  const urls = {
    GATEWAY_REDIS_URL: gateway?.['redis-url'] ?? '',
    WORKER_REDIS_URL: worker?.['redis-url'] ?? '',
    PROXY_REDIS_URL: proxy?.['redis-url'] ?? '',
  };
  const again = await makeSecrets('redis-users', urls);
  expect(valuesOf(again)).toEqual({ redis });
  expect(await complaints(again)).toEqual([]);
  await expect(makeSecrets('redis-users', { ...urls, PROXY_REDIS_URL: urls.WORKER_REDIS_URL })).rejects.toMatchObject({
    code: 2,
    stdout: '',
    stderr: expect.stringMatching(/URL of the user proxy/),
  });
});

test('a second run makes other keys', async () => {
  const [first, second] = await Promise.all([makeSecrets('home', {}), makeSecrets('home', {})]);
  expect(valuesOf(first)['mcp-proxy']?.['seal-key']).not.toBe(valuesOf(second)['mcp-proxy']?.['seal-key']);
});

test.each([
  ['production without the URL of PostgreSQL', 'production', { REDIS_URL: PRODUCTION.REDIS_URL }, /DATABASE_URL/],
  ["production with somebody's login in the URL of Redis", 'production', { ...PRODUCTION, REDIS_URL: 'redis://a:b@c' }, /REDIS_URL/],
  ['no overlay', 'elsewhere', {}, /usage/],
])('%s is refused, and nothing is printed', async (_what, overlay, environment, message) => {
  await expect(makeSecrets(overlay, environment)).rejects.toMatchObject({ code: 2, stdout: '', stderr: expect.stringMatching(message) });
});

async function makeSecrets(overlay: string, environment: Record<string, string>): Promise<readonly Manifest[]> {
  const options = { env: { PATH: process.env.PATH, ...environment } };
  const { stdout } = await run(join(ROOT, 'k8s/make-secrets.sh'), [overlay], options);
  return parseManifests(stdout);
}

const valuesOf = (manifests: readonly Manifest[]): Readonly<Record<string, Readonly<Record<string, string>>>> =>
  Object.fromEntries(
    ofKind<{ data: Record<string, string> }>(manifests, 'Secret').map(({ metadata, data }) => [
      metadata.name,
      Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(value, 'base64').toString()])),
    ]),
  );
