import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { promisify } from 'node:util';
import type { IDeployment } from 'kubernetes-models/apps/v1/Deployment';
import type { INetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1/NetworkPolicy';
import type { IContainer } from 'kubernetes-models/v1/Container';
import type { IPodSpec } from 'kubernetes-models/v1/PodSpec';
import { parseAllDocuments } from 'yaml';
import { findKubectl } from './kubectl.ts';

const run = promisify(execFile);

const ROOT = join(import.meta.dirname, '../..');
const OVERLAYS = ['home', 'production'] as const;
const COMPONENTS = ['apparmor', 'gvisor', 'stdio-servers', 'unmasked-proc'] as const;
const ROLES = ['gateway', 'worker', 'mcp-proxy'] as const;

export type Overlay = (typeof OVERLAYS)[number];
export type Role = (typeof ROLES)[number];
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly labels?: Readonly<Record<string, string>> };
}
export { COMPONENTS, OVERLAYS, ROLES, ROOT };

const kubectl = findKubectl();

/** What `kubectl kustomize DIRECTORY` prints, by document. */
export async function render(directory: string): Promise<readonly Manifest[]> {
  const { stdout } = await run(await kubectl, ['kustomize', directory], { cwd: ROOT, maxBuffer: 16 * 1024 * 1024 });
  return parseManifests(stdout);
}

/** YAML 1.1, as Kubernetes reads it: there `0440` is octal and `yes` a truth. */
export function parseManifests(text: string): readonly Manifest[] {
  return parseAllDocuments(text, { version: '1.1' }).map((document) => {
    if (document.errors.length > 0) throw new Error(document.errors.map(({ message }) => message).join('\n'));
    return document.toJS() as Manifest;
  });
}

/** An overlay with optional components, as an operator would add them to it. */
export async function renderWith(overlay: Overlay, components: readonly string[], more: object = {}): Promise<readonly Manifest[]> {
  const directory = await mkdtemp(join(tmpdir(), 'kustomize-'));
  const to = (path: string): string => relative(directory, join(ROOT, 'k8s', path));
  try {
    const kustomization = {
      apiVersion: 'kustomize.config.k8s.io/v1beta1',
      kind: 'Kustomization',
      resources: [to(`overlays/${overlay}`)],
      components: components.map((component) => to(`components/${component}`)),
      ...more,
    };
    await writeFile(join(directory, 'kustomization.yaml'), JSON.stringify(kustomization));
    return await render(directory);
  } finally {
    await rm(directory, { recursive: true });
  }
}

export const ofKind = <T>(manifests: readonly Manifest[], kind: string): readonly (T & Manifest)[] =>
  manifests.filter((manifest) => manifest.kind === kind) as (T & Manifest)[];

export function named<T extends Manifest>(manifests: readonly T[], name: string): T {
  const found = manifests.find(({ metadata }) => metadata.name === name);
  if (found === undefined) throw new Error(`there is no ${name}`);
  return found;
}

export const networkPolicies = (manifests: readonly Manifest[]) => ofKind<INetworkPolicy>(manifests, 'NetworkPolicy');

export interface Workload {
  readonly name: string;
  readonly kind: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly pod: IPodSpec;
}

interface PodMaker {
  readonly spec: {
    readonly template: {
      readonly metadata: { readonly labels: Readonly<Record<string, string>>; readonly annotations?: Readonly<Record<string, string>> };
      readonly spec: IPodSpec;
    };
  };
}

/** Everything that makes pods. */
export function workloads(manifests: readonly Manifest[]): readonly Workload[] {
  return ['Deployment', 'StatefulSet', 'DaemonSet', 'Job'].flatMap((kind) =>
    ofKind<PodMaker>(manifests, kind).map((manifest) => ({
      name: manifest.metadata.name,
      kind,
      labels: manifest.spec.template.metadata.labels,
      annotations: manifest.spec.template.metadata.annotations ?? {},
      pod: manifest.spec.template.spec,
    })),
  );
}

export function workload(manifests: readonly Manifest[], name: string): Workload {
  const found = workloads(manifests).find((one) => one.name === name);
  if (found === undefined) throw new Error(`there is no workload ${name}`);
  return found;
}

export function onlyContainer(manifests: readonly Manifest[], name: string): IContainer {
  const [container, ...others] = workload(manifests, name).pod.containers;
  if (container === undefined || others.length > 0) throw new Error(`${name} has not one container`);
  return container;
}

export const deployments = (manifests: readonly Manifest[]) => ofKind<IDeployment>(manifests, 'Deployment');
