import { createLogger } from '@code-executor/platform';
import { describe, expect, test } from 'vitest';
import { type CatalogSnapshots, createCatalogSnapshots } from './catalog-snapshots.ts';

const log = createLogger({ level: 'silent', service: 'test' });
const never = new AbortController().signal;

interface Fleet {
  readonly snapshots: CatalogSnapshots;
  /** What the proxy has; null: it does not answer. */
  version: string | null;
  readonly fetched: string[];
  readonly newest: string[];
}

/** Snapshots of catalogs with one tool, named like their version; its directory is named likewise. */
function openFleet(keep = 3): Fleet {
  const fetched: string[] = [];
  const newest: string[] = [];
  const fleet: { version: string | null } = { version: 'v1' };
  const snapshots = createCatalogSnapshots({
    keep,
    log,
    async fetchCatalog(version) {
      fetched.push(version);
      if (fleet.version === null) throw new Error('the proxy does not answer');
      return { version: fleet.version, tools: [{ server: 's', name: fleet.version, description: '', inputSchema: true }] };
    },
    writeSnapshot: async ([tool]) => ({ dir: `/snapshots/${tool?.name}` }),
    onNewest: (dir) => newest.push(dir),
  });
  return Object.assign(fleet, { snapshots, fetched, newest });
}

describe('the wrappers of a worker', () => {
  test('are fetched once for all that ask at the same time, and not again', async () => {
    const { snapshots, fetched, newest } = openFleet();
    const dirs = await Promise.all([snapshots.dir('v1', never), snapshots.dir('v1', never)]);
    dirs.push(await snapshots.dir('v1', never));
    await snapshots.first;
    expect(dirs).toEqual(['/snapshots/v1', '/snapshots/v1', '/snapshots/v1']);
    expect(fetched).toEqual(['v1']);
    expect(newest).toEqual(['/snapshots/v1']);
  });

  test('turn to the version that a renewal tells of, without anybody asking', async () => {
    const fleet = openFleet();
    fleet.snapshots.follow('v1');
    await expect.poll(() => fleet.newest).toEqual(['/snapshots/v1']);
    fleet.version = 'v2';
    fleet.snapshots.follow('v2');
    await expect.poll(() => fleet.newest).toEqual(['/snapshots/v1', '/snapshots/v2']);
    expect(await fleet.snapshots.dir('v1', never)).toBe('/snapshots/v1');
    expect(fleet.fetched).toEqual(['v1', 'v2']);
  });

  test('of a version that nobody has any more are those of the present one', async () => {
    const fleet = openFleet();
    fleet.version = 'v9';
    expect(await fleet.snapshots.dir('v3', never)).toBe('/snapshots/v9');
    expect(await fleet.snapshots.dir('v9', never)).toBe('/snapshots/v9');
    expect(fleet.fetched).toEqual(['v3']);
  });

  test('of a version that the proxy has not heard of yet are asked for again, and are its own from then on', async () => {
    const fleet = openFleet();
    expect(await fleet.snapshots.dir('v2', never)).toBe('/snapshots/v1');
    fleet.version = 'v2';
    await expect.poll(() => fleet.snapshots.dir('v2', never)).toBe('/snapshots/v2');
    // While it lags it is not asked with every program.
    expect(fleet.fetched.length).toBeLessThan(5);
    expect(await fleet.snapshots.dir('v1', never)).toBe('/snapshots/v1');
  });

  test('stay where they are while two proxies differ, and turn back when all say so', async () => {
    const fleet = openFleet();
    await fleet.snapshots.dir('v1', never);
    fleet.version = 'v2';
    fleet.snapshots.follow('v2');
    await expect.poll(() => fleet.newest.length).toBe(2);
    for (const version of ['v1', 'v2', 'v1', 'v2', 'v1', 'v1']) fleet.snapshots.follow(version);
    expect(fleet.newest).toEqual(['/snapshots/v1', '/snapshots/v2']);
    fleet.snapshots.follow('v1');
    expect(fleet.newest).toEqual(['/snapshots/v1', '/snapshots/v2', '/snapshots/v1']);
  });

  test('that cannot be fetched fail whoever asked, and are tried again later', async () => {
    const fleet = openFleet();
    fleet.version = null;
    await expect(fleet.snapshots.dir('v1', never)).rejects.toThrow('does not answer');
    fleet.snapshots.follow('v1');
    fleet.version = 'v1';
    await expect
      .poll(() => {
        fleet.snapshots.follow('v1');
        return fleet.newest;
      })
      .toEqual(['/snapshots/v1']);
  });

  test('are kept for the versions used last', async () => {
    const fleet = openFleet(2);
    for (const version of ['v1', 'v2', 'v1', 'v3']) {
      fleet.version = version;
      await fleet.snapshots.dir(version, never);
    }
    expect([...fleet.snapshots.dirs()]).toEqual(['/snapshots/v1', '/snapshots/v3']);
  });

  test('are not waited for by who has gone', async () => {
    const { snapshots } = openFleet();
    const gone = new AbortController();
    const asked = snapshots.dir('v1', gone.signal);
    gone.abort(new Error('cancelled'));
    await expect(asked).rejects.toThrow('cancelled');
  });
});
