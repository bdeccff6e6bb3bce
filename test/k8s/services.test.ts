import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import type { IConfigMap } from 'kubernetes-models/v1/ConfigMap';
import { expect, test } from 'vitest';
import { parse as parseYaml } from 'yaml';
import { OVERLAYS, ofKind, onlyContainer, ROLES, ROOT, type Role, render, renderWith, workload } from './manifests.ts';

type Environment = Readonly<Record<string, string>>;

/** Where each service reads its variables, and by what name. */
const CONFIG = {
  gateway: ['services/gateway/src/service-config.ts', 'readGatewayServiceConfig'],
  worker: ['services/worker/src/config.ts', 'readWorkerConfig'],
  'mcp-proxy': ['services/mcp-proxy/src/config.ts', 'readProxyConfig'],
} as const;

const PORTS: Readonly<Record<Role, number>> = { gateway: 9091, 'mcp-proxy': 9092, worker: 9093 };

test.each(OVERLAYS)('the services understand every variable that %s gives them, and miss none', async (overlay) => {
  const manifests = await render(`k8s/overlays/${overlay}`);
  for (const role of ROLES) {
    await withSecretFiles(environmentOf(manifests, role), async (environment) => {
      const config = await readConfig(role, environment);
      expect(config, role).toMatchObject({ EXECUTOR_HOST: '0.0.0.0', EXECUTOR_PORT: PORTS[role] });
    });
  }
});

test('settings of an overlay reach each service, which understands them; secrets cannot come that way', async () => {
  const [, example = ''] =
    /```yaml\n(# in your overlay's kustomization[^`]*)```/.exec(await readFile(join(ROOT, 'docs/kubernetes.md'), 'utf8')) ?? [];
  const manifests = await renderWith('home', [], parseYaml(example));
  const settingsOf = (role: Role): Environment => {
    const sources = onlyContainer(manifests, role).envFrom ?? [];
    expect(sources.map((source) => Object.keys(source))).toEqual([['configMapRef']]);
    const settings = ofKind<IConfigMap>(manifests, 'ConfigMap').filter(({ metadata }) => metadata.name === sources[0]?.configMapRef?.name);
    return settings[0]?.data ?? {};
  };
  expect(settingsOf('worker')).toEqual({});
  for (const [role, variable] of [
    ['gateway', 'EXECUTOR_PUBLIC_URL'],
    ['mcp-proxy', 'EXECUTOR_OUTBOUND_ALLOW'],
  ] as const) {
    await withSecretFiles({ ...settingsOf(role), ...environmentOf(manifests, role) }, async (environment) => {
      expect(environment[variable], role).toBeDefined();
      await readConfig(role, environment);
    });
  }
});

test('a variable that a service does not know, or one that it lacks, is found out', async () => {
  const manifests = await render('k8s/overlays/home');
  await withSecretFiles(environmentOf(manifests, 'worker'), async (environment) => {
    await expect(readConfig('worker', { ...environment, EXECUTOR_SEAL_KEY: 'x' })).rejects.toThrow('EXECUTOR_SEAL_KEY is no variable');
    const { REDIS_URL_FILE: _left, ...rest } = environment;
    await expect(readConfig('worker', rest)).rejects.toThrow('REDIS_URL');
  });
});

test('ports and probes are those that the services listen on and answer', async () => {
  const manifests = await render('k8s/overlays/home');
  const source = async (path: string): Promise<string> => readFile(join(ROOT, path), 'utf8');
  const routes: Readonly<Record<Role, string>> = {
    gateway: await source('services/gateway/src/routes/health/health.ts'),
    'mcp-proxy': await source('services/mcp-proxy/src/routes/health/health.ts'),
    worker: await source('services/worker/src/status-server.ts'),
  };
  for (const role of ROLES) {
    const { ports, startupProbe, readinessProbe, livenessProbe } = onlyContainer(manifests, role);
    expect(ports, role).toEqual([{ name: 'http', containerPort: PORTS[role] }]);
    for (const probe of [startupProbe, readinessProbe, livenessProbe]) {
      expect(probe?.httpGet?.port, role).toBe('http');
      expect(routes[role], role).toContain(`'${probe?.httpGet?.path}'`);
    }
    const annotations = { 'prometheus.io/port': String(PORTS[role]), 'prometheus.io/path': '/metrics', 'prometheus.io/scrape': 'true' };
    expect(workload(manifests, role).annotations, role).toMatchObject(annotations);
  }
});

test('a pod is killed later than its service has closed', async () => {
  const manifests = await render('k8s/overlays/production');
  for (const [role, closingSeconds] of [
    ['worker', 10],
    ['mcp-proxy', 8],
  ] as const) {
    const { EXECUTOR_DRAIN_SECONDS: drain } = environmentOf(manifests, role);
    const { pod } = workload(manifests, role);
    const preStop = pod.containers[0]?.lifecycle?.preStop?.sleep?.seconds ?? 0;
    expect(pod.terminationGracePeriodSeconds, role).toBeGreaterThan(preStop + Number(drain) + closingSeconds);
  }
  expect(Number(environmentOf(manifests, 'worker').EXECUTOR_DRAIN_SECONDS), 'the longest execution may end').toBeGreaterThanOrEqual(300);
});

test('what containers run is there', async () => {
  const manifests = await render('k8s/overlays/home');
  const [command, script] = onlyContainer(manifests, 'migrate').args ?? [];
  expect(command).toBe('node');
  expect(existsSync(join(ROOT, script ?? ''))).toBe(true);
  const start = await readFile(join(ROOT, 'services/start.sh'), 'utf8');
  for (const role of ['gateway', 'mcp-proxy']) expect(start).toContain(role);
});

function environmentOf(manifests: Parameters<typeof onlyContainer>[0], role: Role): Environment {
  return Object.fromEntries((onlyContainer(manifests, role).env ?? []).map(({ name, value = '' }) => [name, value]));
}

/** The same environment with the secrets' files in a directory of this machine. */
async function withSecretFiles(environment: Environment, use: (environment: Environment) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'secrets-'));
  try {
    const moved = await Promise.all(
      Object.entries(environment).map(async ([name, value]) => {
        if (!value.startsWith('/run/secrets/')) return [name, value];
        const file = join(directory, basename(value));
        await writeFile(
          file,
          name.startsWith('DATABASE_URL') ? 'postgres://a:b@c/d' : name.startsWith('REDIS_URL') ? 'redis://c' : 'f'.repeat(64),
        );
        return [name, file];
      }),
    );
    await use(Object.fromEntries(moved));
  } finally {
    await rm(directory, { recursive: true });
  }
}

async function readConfig(role: Role, environment: Environment): Promise<object> {
  const [path, name] = CONFIG[role];
  const module: Record<string, (environment: Environment) => object> = await import(/* @vite-ignore */ join(ROOT, path));
  const read = module[name];
  if (read === undefined) throw new Error(`${path} has no ${name}`);
  return read(environment);
}
