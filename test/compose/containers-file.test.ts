import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';

const ROOT = join(import.meta.dirname, '../..');
interface Service {
  readonly volumes?: readonly string[];
  readonly secrets?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}
const read = (name: string): { services: Record<string, Service> } => parse(readFileSync(join(ROOT, name), 'utf8'), { merge: true });
const base = read('docker-compose.yml').services;
const containers = read('docker-compose.containers.yml').services;

test('of the whole fleet, the service that makes containers alone has the engine’s socket', () => {
  const withSocket = [...Object.entries(base), ...Object.entries(containers)]
    .filter(([, service]) => JSON.stringify(service).includes('docker.sock'))
    .map(([name]) => name);
  expect(withSocket).toEqual(['container-pool']);
});

test('that service has no network, no capability, no other user’s files and no port', () => {
  const { 'container-pool': pool } = containers;
  expect(pool).toMatchObject({
    network_mode: 'none',
    read_only: true,
    cap_drop: ['ALL'],
    security_opt: ['no-new-privileges:true'],
    user: '10104:10104',
    secrets: ['container-pool-key'],
  });
  for (const key of ['ports', 'privileged', 'cap_add', 'networks', 'pid', 'devices']) expect(pool).not.toHaveProperty(key);
});

test('a worker gains the shared volume and a key, and loses nothing of what narrows it', () => {
  const { worker } = containers;
  expect(Object.keys(worker ?? {}).sort()).toEqual(['depends_on', 'environment', 'secrets', 'volumes']);
  expect(worker?.volumes).toEqual(['containers:/var/lib/container-pool']);
  expect(worker?.secrets).toEqual([...(base.worker?.secrets ?? []), 'worker-container-key']);
});

test('maxima of the service are the limits that workers ask for', () => {
  const limits = ['MEMORY_MB', 'PROCESSES', 'OPEN_FILES', 'FILE_SIZE_MB', 'WORKSPACE_MB', 'TMP_MB', 'SHM_MB', 'INODES'].map(
    (name) => `EXECUTOR_${name}`,
  );
  for (const name of limits) {
    const own = containers['container-pool']?.environment?.[name];
    expect(own, name).toContain(name);
    expect(own, name).toBe(base.worker?.environment?.[name]);
  }
});
