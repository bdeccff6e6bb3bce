import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { vi } from 'vitest';
import type { ComposeDeployment } from '../compose-deployment.ts';

/** What first-fleet.sql says of itself. */
export const OLDER = {
  keys: { admin: madeUpKey('admin'), agent: madeUpKey('agent'), revoked: madeUpKey('revoked') },
  executions: {
    answered: 'exe_01m80bk0mc0xzf3hv2vpgncd3v',
    called: 'exe_01m80bk0pjv7jdpmjjq71ga98b',
    failed: 'exe_01m80bk0ygqd0th4kn5ccz15h5',
    running: 'exe_01m80bk265s36cgrekqc46wgw8',
    queued: 'exe_01m80bk514gm2j5xkeww7fx5tz',
  },
  sealedToken: 'sealed-by-an-older-version',
} as const;
const SEAL_KEY = '0123456789abcdef'.repeat(4);
const POSTGRES_IMAGE = 'postgres:17-bookworm';

/** Puts the volume of an older version in place of the one that the first `up` would make, and beside it the keys that it goes with. */
export async function restoreOlderVolume({ docker, project, place, checkout, dataDir }: ComposeDeployment): Promise<void> {
  const password = 'f'.repeat(64);
  const secrets = { 'mcp-proxy/seal-key': SEAL_KEY, 'postgres/executor-password': password };
  for (const [path, text] of Object.entries(secrets)) {
    await mkdir(join(dataDir, 'secrets', path, '..'), { recursive: true, mode: 0o700 });
    await writeFile(join(dataDir, 'secrets', path), `${text}\n`, { mode: 0o600 });
  }
  await writeFile(join(dataDir, 'admin.key'), `${OLDER.keys.admin}\n`, { mode: 0o600 });
  await writeFile(join(place, 'password'), password, { mode: 0o644 });
  // Where the engine certainly sees it.
  await copyFile(join(import.meta.dirname, 'first-fleet.sql'), join(place, 'first-fleet.sql'));

  const done = async (...args: string[]): Promise<void> => {
    const { exitCode, text } = await docker(...args);
    if (exitCode !== 0) throw new Error(`docker ${args.join(' ')}: ${text}`);
  };
  const labels = ['--label', `com.docker.compose.project=${project}`, '--label', 'com.docker.compose.volume=postgres-data'];
  await done('volume', 'create', ...labels, `${project}_postgres-data`);
  const name = `${project}-older`;
  const mounts = {
    [`${project}_postgres-data`]: '/var/lib/postgresql/data',
    [join(checkout, 'deploy/postgres/create-role.sh')]: '/docker-entrypoint-initdb.d/10-create-role.sh:ro',
    [join(place, 'password')]: '/run/secrets/postgres-executor-password:ro',
    [join(place, 'first-fleet.sql')]: '/first-fleet.sql:ro',
  };
  const volumes = Object.entries(mounts).flatMap(([from, to]) => ['--volume', `${from}:${to}`]);
  const made = ['--env', 'POSTGRES_PASSWORD_FILE=/proc/sys/kernel/random/uuid', '--network', 'none'];
  await done('run', '--detach', '--name', name, '--label', `com.docker.compose.project=${project}`, ...made, ...volumes, POSTGRES_IMAGE);
  // Over TCP: while the data directory is being made, the server listens on its socket only.
  const answers = ['exec', name, 'pg_isready', '--host', '127.0.0.1', '--username', 'executor', '--dbname', 'executor'];
  await vi.waitFor(() => done(...answers), { timeout: 90_000, interval: 300 });
  const psql = ['psql', '--host', '/run/postgresql', '--username', 'postgres', '--dbname', 'executor', '--quiet', '--output', '/dev/null'];
  await done('exec', name, ...psql, '--set', 'ON_ERROR_STOP=1', '--command', 'set role executor', '--file', '/first-fleet.sql');
  await done('stop', name);
  await done('rm', name);
}

function madeUpKey(role: string): string {
  return `cex_${`made-up-key-of-an-older-${role}-`.padEnd(43, '0')}`;
}
