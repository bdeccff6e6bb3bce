import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { IContainer } from 'kubernetes-models/v1/Container';
import { describe, expect, test } from 'vitest';
import {
  COMPONENTS,
  deployments,
  type Manifest,
  named,
  OVERLAYS,
  ofKind,
  onlyContainer,
  ROLES,
  ROOT,
  render,
  renderWith,
  workload,
  workloads,
} from './manifests.ts';

const source = (path: string): Promise<string> => readFile(join(ROOT, path), 'utf8');

describe.each([
  ['home', render('k8s/overlays/home')],
  ['production', render('k8s/overlays/production')],
  ['home with every component', renderWith('home', COMPONENTS)],
  ['production with every component', renderWith('production', COMPONENTS)],
] as const)('pods of %s', (_name, rendered) => {
  test('none runs as root, gains a privilege, has a capability or a writable root file system', async () => {
    for (const { name, pod } of workloads(await rendered)) {
      expect.soft(pod.securityContext, name).toMatchObject({ runAsNonRoot: true, fsGroup: expect.any(Number) });
      expect.soft(pod.securityContext?.runAsUser, name).toBeGreaterThan(0);
      expect.soft(pod.securityContext?.runAsGroup, name).toBeGreaterThan(0);
      for (const container of containersOf(pod)) {
        expect.soft(container.securityContext, `${name}/${container.name}`).toMatchObject({
          runAsNonRoot: true,
          privileged: false,
          readOnlyRootFilesystem: true,
          allowPrivilegeEscalation: false,
          capabilities: { drop: ['ALL'] },
        });
        expect.soft(container.securityContext?.capabilities?.add, `${name}/${container.name}`).toBeUndefined();
        expect.soft(container.securityContext?.runAsUser, `${name}/${container.name}`).toBeUndefined();
      }
    }
  });

  test('none sees the node: no namespace, port, path or device of it, and no token of the Kubernetes API', async () => {
    for (const { name, pod } of workloads(await rendered)) {
      expect.soft([pod.hostNetwork, pod.hostPID, pod.hostIPC], name).toEqual([undefined, undefined, undefined]);
      expect.soft(pod.automountServiceAccountToken, name).toBe(false);
      expect.soft(pod.enableServiceLinks, name).toBe(false);
      const kinds = (pod.volumes ?? []).flatMap(({ name: _volume, ...kind }) => Object.keys(kind));
      expect.soft(new Set([...kinds, 'secret', 'emptyDir', 'configMap']), name).toEqual(new Set(['secret', 'emptyDir', 'configMap']));
      for (const container of containersOf(pod)) {
        expect.soft(container.ports?.filter(({ hostPort }) => hostPort !== undefined) ?? [], name).toEqual([]);
        expect.soft(container.volumeDevices, name).toBeUndefined();
      }
    }
    for (const account of ofKind<{ automountServiceAccountToken?: boolean }>(await rendered, 'ServiceAccount'))
      expect(account.automountServiceAccountToken).toBe(false);
    expect((await rendered).map(({ kind }) => kind)).not.toContain('RoleBinding');
  });

  test('each has a seccomp profile, and memory that is bounded, temporary files included', async () => {
    for (const { name, pod } of workloads(await rendered)) {
      expect.soft(['RuntimeDefault', 'Localhost'], name).toContain(pod.securityContext?.seccompProfile?.type);
      for (const { name: volume, emptyDir } of pod.volumes ?? []) {
        if (emptyDir === undefined) continue;
        expect.soft(emptyDir.sizeLimit, `${name} ${volume}`).toMatch(/^\d+[MG]i$/);
        // Of stdio-servers, on the node's disk.
        expect.soft(emptyDir.medium, `${name} ${volume}`).toBe(volume === 'home' ? undefined : 'Memory');
      }
      for (const { resources } of containersOf(pod)) {
        expect.soft(resources, name).toMatchObject({ requests: { cpu: expect.anything(), memory: expect.anything() } });
        expect.soft(resources?.limits, name).toHaveProperty('memory');
        expect.soft(resources?.limits, name).toHaveProperty('ephemeral-storage');
      }
    }
  });

  test('every image is pinned to a version', async () => {
    for (const { name, pod } of workloads(await rendered)) {
      for (const { image } of containersOf(pod)) {
        expect.soft(image, name).toMatch(/^[a-z0-9./-]+(:[0-9][\w.-]*|@sha256:[0-9a-f]{64})$/);
      }
    }
    const { version } = JSON.parse(await source('package.json'));
    for (const role of ROLES) expect(onlyContainer(await rendered, role).image).toMatch(new RegExp(`^code-executor/\\w+:${version}$`));
  });

  test('replicas spread over the nodes, and every service answers three probes', async () => {
    for (const role of ROLES) {
      const { pod, labels } = workload(await rendered, role);
      expect(pod.topologySpreadConstraints).toMatchObject([{ labelSelector: { matchLabels: { 'app.kubernetes.io/component': role } } }]);
      expect(labels['app.kubernetes.io/component']).toBe(role);
      const { startupProbe, readinessProbe, livenessProbe } = onlyContainer(await rendered, role);
      expect(startupProbe?.httpGet?.path).toBe('/health');
      expect(livenessProbe?.httpGet?.path).toBe('/health');
      expect(readinessProbe?.httpGet?.path).toBe('/health/ready');
    }
  });
});

describe('optional components', () => {
  const plain = render('k8s/overlays/production');
  const with_ = (component: string): Promise<readonly Manifest[]> => renderWith('production', [component]);

  test('gvisor runs workers, and nothing else, in that runtime', async () => {
    const manifests = await with_('gvisor');
    expect(workload(manifests, 'worker').pod.runtimeClassName).toBe('gvisor');
    expect(workload(manifests, 'mcp-proxy').pod.runtimeClassName).toBeUndefined();
    expect(named(ofKind<{ handler: string }>(manifests, 'RuntimeClass'), 'gvisor').handler).toBe('runsc');
  });

  test('unmasked-proc gives workers a whole /proc in a user namespace only', async () => {
    const { pod } = workload(await with_('unmasked-proc'), 'worker');
    expect(pod.hostUsers).toBe(false);
    expect(pod.containers[0]?.securityContext?.procMount).toBe('Unmasked');
    expect(onlyContainer(await plain, 'worker').securityContext?.procMount).toBeUndefined();
    expect(onlyContainer(await with_('unmasked-proc'), 'gateway').securityContext?.procMount).toBeUndefined();
  });

  test("the worker's seccomp profile is the node's copy of the image's own; stdio-servers gives it to mcp-proxy too", async () => {
    const profile = { type: 'Localhost', localhostProfile: 'code-executor/worker.json' };
    const seccomp = async (manifests: Promise<readonly Manifest[]>, name: string) =>
      workload(await manifests, name).pod.securityContext?.seccompProfile;
    expect(await seccomp(plain, 'worker')).toEqual(profile);
    expect(await seccomp(plain, 'mcp-proxy')).toEqual({ type: 'RuntimeDefault' });
    expect(await seccomp(with_('stdio-servers'), 'mcp-proxy')).toEqual(profile);
    expect(await seccomp(with_('stdio-servers'), 'gateway')).toEqual({ type: 'RuntimeDefault' });
    const daemon = workload(await render('k8s/nodes'), 'seccomp-profile').pod;
    expect(daemon.volumes).toContainEqual(
      expect.objectContaining({ hostPath: expect.objectContaining({ path: '/var/lib/kubelet/seccomp/code-executor' }) }),
    );
    expect(daemon.containers[0]?.command?.join(' ')).toContain('/host/worker.json');
    expect(JSON.parse(await source('sandbox-image/seccomp.json')).defaultAction).toBe('SCMP_ACT_ERRNO');
  });

  test('stdio-servers gives what npx downloads a place beside the data directory, which such servers do not see, and the disk for it', async () => {
    const { env, volumeMounts, resources } = onlyContainer(await with_('stdio-servers'), 'mcp-proxy');
    const settingOf = (name: string): string => env?.find((one) => one.name === name)?.value ?? '';
    expect(volumeMounts?.map(({ mountPath }) => mountPath)).toContain(settingOf('HOME'));
    expect(`${settingOf('HOME')}/`.startsWith(`${settingOf('EXECUTOR_DATA_DIR')}/`)).toBe(false);
    expect(resources?.limits?.['ephemeral-storage']).toBe('2304Mi');
  });

  test('apparmor names a profile that is shipped', async () => {
    const profile = workload(await with_('apparmor'), 'worker').pod.securityContext?.appArmorProfile;
    expect(profile?.type).toBe('Localhost');
    expect(await source('k8s/nodes/apparmor-profile')).toContain(`profile ${profile?.localhostProfile} `);
  });
});

test('at home there is one of each service; in production two at least, one of which stays when a node is drained', async () => {
  const home = await render('k8s/overlays/home');
  for (const role of ROLES) expect(named(deployments(home), role).spec?.replicas).toBe(1);
  const production = await render('k8s/overlays/production');
  for (const role of ROLES) {
    // Applying again must not undo what the autoscaler did.
    expect(named(deployments(production), role).spec?.replicas).toBeUndefined();
    const scaler = named(ofKind<{ spec: { minReplicas: number; scaleTargetRef: object } }>(production, 'HorizontalPodAutoscaler'), role);
    expect(scaler.spec.minReplicas).toBeGreaterThanOrEqual(2);
    expect(scaler.spec.scaleTargetRef).toEqual({ apiVersion: 'apps/v1', kind: 'Deployment', name: role });
    const budget = named(ofKind<{ spec: object }>(production, 'PodDisruptionBudget'), role);
    expect(budget.spec).toMatchObject({ maxUnavailable: 1, selector: { matchLabels: { 'app.kubernetes.io/component': role } } });
  }
});

test('a worker may end the longest program before it is killed', async () => {
  for (const overlay of OVERLAYS)
    expect(workload(await render(`k8s/overlays/${overlay}`), 'worker').pod.terminationGracePeriodSeconds).toBeGreaterThan(300);
});

test('users and directories of the pods are those of the images', async () => {
  const manifests = await render('k8s/overlays/home');
  const workerImage = await source('sandbox-image/Dockerfile');
  const [, uid, gid] = /^USER (\d+):(\d+)$/m.exec(workerImage) ?? [];
  expect(workload(manifests, 'worker').pod.securityContext).toMatchObject({ runAsUser: Number(uid), runAsGroup: Number(gid) });
  expect(onlyContainer(manifests, 'worker').volumeMounts?.map(({ mountPath }) => mountPath)).toContain(
    /EXECUTOR_DATA_DIR=(\S+)/.exec(workerImage)?.[1],
  );
  const servicesImage = await source('services/Dockerfile');
  for (const role of ['gateway', 'mcp-proxy']) {
    const id = new RegExp(`useradd --uid (\\d+) --gid \\d+ [^&]*\\b${role}\\b`).exec(servicesImage)?.[1];
    expect(workload(manifests, role).pod.securityContext).toMatchObject({ runAsUser: Number(id), runAsGroup: Number(id) });
    expect(onlyContainer(manifests, role).args).toEqual([role]);
  }
});

test("Redis and PostgreSQL at home run with the Docker form's own files", async () => {
  for (const [copy, original] of [
    ['redis.conf', 'deploy/redis/redis.conf'],
    ['create-role.sh', 'deploy/postgres/create-role.sh'],
  ])
    expect(await source(`k8s/overlays/home/${copy}`)).toBe(await source(`${original}`));
});

const containersOf = (pod: { containers: IContainer[]; initContainers?: IContainer[] }): readonly IContainer[] => [
  ...pod.containers,
  ...(pod.initContainers ?? []),
];
