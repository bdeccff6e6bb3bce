import { describe, expect, test } from 'vitest';
import { complaints } from './kubernetes-schema.ts';
import { COMPONENTS, type Manifest, OVERLAYS, parseManifests, render, renderWith } from './manifests.ts';

describe.each(OVERLAYS)('the overlay %s', (overlay) => {
  test('renders, and the Kubernetes API knows every field and value of it', async () => {
    const manifests = await render(`k8s/overlays/${overlay}`);
    expect(manifests.length).toBeGreaterThan(10);
    expect(await complaints(manifests)).toEqual([]);
  });

  test('stays valid with every optional component', async () => {
    expect(await complaints(await renderWith(overlay, COMPONENTS))).toEqual([]);
  });

  test('puts everything into its own namespace and names nothing twice', async () => {
    const manifests = await render(`k8s/overlays/${overlay}`);
    const names = manifests.map(({ kind, metadata }) => `${kind}/${metadata.name}`);
    expect(new Set(names).size).toBe(names.length);
    for (const { kind, metadata } of manifests.filter(({ kind }) => kind !== 'Namespace')) {
      expect(`${kind}/${metadata.name} in ${metadata.namespace}`).toBe(`${kind}/${metadata.name} in code-executor`);
    }
  });
});

test('what puts the seccomp profile on the nodes is valid', async () => {
  expect(await complaints(await render('k8s/nodes'))).toEqual([]);
});

describe('a wrong manifest is found out', () => {
  const pod = (container: string): readonly Manifest[] =>
    parseManifests(`{apiVersion: v1, kind: Pod, metadata: {name: x}, spec: {containers: [${container}]}}`);

  test.each([
    ['a field that does not exist', pod('{name: a, image: b, readyProbe: {}}'), /readyProbe/],
    ['a field that does not exist, deep inside', pod('{name: a, securityContext: {capabilities: {drops: [ALL]}}}'), /drops/],
    ['a value of another type', pod('{name: a, ports: [{containerPort: http}]}'), /containerPort|number/],
    ['a value that is none of those allowed', pod('{name: a, imagePullPolicy: Sometimes}'), /imagePullPolicy|Sometimes/],
    ['a field that is missing', pod('{image: b}'), /name/],
    ['a kind that its API does not have', parseManifests('{apiVersion: apps/v1, kind: Pod, metadata: {name: x}}'), /Pod/],
    ['an API that Kubernetes does not have', parseManifests('{apiVersion: apps/v9, kind: Deployment, metadata: {name: x}}'), /apps\/v9/],
  ])('%s', async (_what, manifests, message) => {
    expect((await complaints(manifests)).join('\n')).toMatch(message);
  });
});
