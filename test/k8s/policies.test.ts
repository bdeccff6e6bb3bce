import type { INetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1/NetworkPolicy';
import { describe, expect, test } from 'vitest';
import { COMPONENTS, type Manifest, networkPolicies, OVERLAYS, ofKind, ROLES, renderWith, workload, workloads } from './manifests.ts';

type Direction = 'Ingress' | 'Egress';
type Selector = NonNullable<NonNullable<INetworkPolicy['spec']>['podSelector']>;

/** Programs run in the worker: the whole list of where it gets, and nothing but it. */
const DNS = 'kube-system: k8s-app=kube-dns on UDP/53,TCP/53';
const EGRESS = {
  home: {
    worker: [DNS, 'mcp-proxy on TCP/9092', 'redis on TCP/6379'],
    gateway: [DNS, 'mcp-proxy on TCP/9092', 'postgres on TCP/5432', 'redis on TCP/6379'],
    migration: [DNS, 'postgres on TCP/5432'],
    redis: [],
    postgres: [],
  },
  production: {
    worker: ['192.0.2.10/32 on TCP/6379', DNS, 'mcp-proxy on TCP/9092'],
    gateway: ['192.0.2.10/32 on TCP/6379', '192.0.2.20/32 on TCP/5432', DNS, 'mcp-proxy on TCP/9092'],
    migration: ['192.0.2.20/32 on TCP/5432', DNS],
  },
} as const;

describe.each(OVERLAYS)('the network of %s', (overlay) => {
  // No component may open anything.
  const rendered = renderWith(overlay, COMPONENTS);

  test('every pod is denied everything, in and out, but for what a policy allows', async () => {
    expect(networkPolicies(await rendered).find(({ metadata }) => metadata.name === 'default-deny')?.spec).toEqual({
      podSelector: {},
      policyTypes: ['Ingress', 'Egress'],
    });
  });

  test.each(Object.entries(EGRESS[overlay]))('%s reaches nothing but what it needs', async (component, allowed) => {
    expect(peers(await rendered, component, 'Egress')).toEqual(allowed);
  });

  test('mcp-proxy reaches the stores and the world, but no private address', async () => {
    const all = peers(await rendered, 'mcp-proxy', 'Egress');
    const world = all.filter((peer) => /^(0\.0\.0\.0|::)\/0/.test(peer));
    expect(world).toHaveLength(2);
    for (const range of ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10', '169.254.0.0/16', '127.0.0.0/8'])
      expect(world.join('\n')).toContain(range);
    for (const range of ['fc00::/7', 'fe80::/10']) expect(world.join('\n')).toContain(range);
    expect(all.filter((peer) => !world.includes(peer))).toEqual(EGRESS[overlay].gateway.filter((peer) => !peer.startsWith('mcp-proxy')));
  });

  test('nobody reaches a worker but Prometheus, nor mcp-proxy but gateway, worker and Prometheus', async () => {
    const monitoring = 'monitoring: * on TCP/9092,TCP/9093';
    expect(peers(await rendered, 'worker', 'Ingress')).toEqual([monitoring]);
    expect(peers(await rendered, 'mcp-proxy', 'Ingress')).toEqual(['gateway|worker on TCP/9092', monitoring]);
  });
});

test('Redis and PostgreSQL at home are reached by those alone that use them', async () => {
  const home = await renderWith('home', []);
  expect(peers(home, 'redis', 'Ingress')).toEqual(['gateway|mcp-proxy|worker on TCP/6379']);
  expect(peers(home, 'postgres', 'Ingress')).toEqual(['gateway|mcp-proxy|migration on TCP/5432']);
});

test('the gateway in production is reached through the ingress controller and by Prometheus', async () => {
  expect(peers(await renderWith('production', []), 'gateway', 'Ingress')).toEqual([
    'ingress-nginx: * on TCP/9091',
    'monitoring: * on TCP/9091',
  ]);
});

describe.each(OVERLAYS)('secrets of %s', (overlay) => {
  const rendered = renderWith(overlay, COMPONENTS);

  test('no value of a secret is in them', async () => {
    expect(ofKind(await rendered, 'Secret')).toEqual([]);
    for (const { pod, name } of workloads(await rendered)) {
      for (const { env } of pod.containers) {
        for (const { name: variable, value } of env ?? []) {
          if (/KEY|PASSWORD|TOKEN|_URL/.test(variable) && variable !== 'EXECUTOR_PROXY_URL')
            expect.soft(value, `${name} ${variable}`).toMatch(/^\/(run\/secrets|proc\/sys\/kernel\/random)\//);
        }
      }
    }
  });

  test('each pod has the files of its own Secret and nothing of the others, in no environment', async () => {
    for (const { pod, name } of workloads(await rendered)) {
      expect.soft(secretsOf(pod), name).toEqual([name]);
      expect.soft(JSON.stringify(pod), name).not.toMatch(/secretKeyRef|secretRef|imagePullSecrets/);
    }
  });

  test('the seal key, the grant key and upstream credentials are in mcp-proxy alone; a worker has two secrets', async () => {
    for (const role of ROLES) {
      const text = JSON.stringify(workload(await rendered, role).pod);
      if (role !== 'mcp-proxy') expect(text).not.toMatch(/SEAL|seal|GRANT|grant-key|MCP_SERVERS|mcp-servers/);
    }
    const [worker] = workload(await rendered, 'worker').pod.containers;
    expect(worker?.env?.filter(({ value }) => value?.startsWith('/run/secrets/')).map(({ name }) => name)).toEqual([
      'REDIS_URL_FILE',
      'EXECUTOR_WORKER_INTERNAL_KEY_FILE',
    ]);
  });
});

/** What the policies that select this component allow, one peer a line, as a set: policies add up. */
function peers(manifests: readonly Manifest[], component: string, direction: Direction): readonly string[] {
  const labels = { 'app.kubernetes.io/component': component, 'app.kubernetes.io/part-of': 'code-executor' };
  const lines = networkPolicies(manifests)
    .filter(({ spec }) => spec?.policyTypes?.includes(direction) && selects(spec.podSelector ?? {}, labels))
    .flatMap(({ spec }) =>
      direction === 'Egress'
        ? (spec?.egress ?? []).map(({ to = [], ports }) => ({ others: to, ports }))
        : (spec?.ingress ?? []).map(({ from = [], ports }) => ({ others: from, ports })),
    )
    .flatMap(({ others, ports }) => {
      const where = ports?.map(({ protocol, port }) => `${protocol}/${port}`).join(',') ?? 'any port';
      return others.length === 0 ? [`anyone on ${where}`] : others.map((peer) => `${nameOf(peer)} on ${where}`);
    });
  return [...new Set(lines)].sort();
}

function nameOf(peer: { ipBlock?: { cidr: string; except?: string[] }; namespaceSelector?: Selector; podSelector?: Selector }): string {
  if (peer.ipBlock !== undefined) return [peer.ipBlock.cidr, ...(peer.ipBlock.except ?? [])].join(' without ');
  const pods = peer.podSelector?.matchLabels ?? {};
  const values = peer.podSelector?.matchExpressions?.map(({ values }) => [...(values ?? [])].sort().join('|')) ?? [];
  const named = [...Object.entries(pods).map(([key, value]) => (key.endsWith('/component') ? value : `${key}=${value}`)), ...values];
  const namespace = peer.namespaceSelector?.matchLabels?.['kubernetes.io/metadata.name'];
  if (peer.namespaceSelector !== undefined) return `${namespace ?? 'any namespace'}: ${named.join(',') || '*'}`;
  return named.join(',') || 'any pod';
}

function selects({ matchLabels = {}, matchExpressions = [] }: Selector, labels: Readonly<Record<string, string>>): boolean {
  return (
    Object.entries(matchLabels).every(([key, value]) => labels[key] === value) &&
    matchExpressions.every(({ key, operator, values }) => operator === 'In' && values?.includes(labels[key] ?? ''))
  );
}

const secretsOf = (pod: ReturnType<typeof workload>['pod']): readonly string[] =>
  (pod.volumes ?? []).flatMap(({ secret }) => (secret?.secretName === undefined ? [] : [secret.secretName]));
