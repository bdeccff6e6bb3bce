import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ADMIN, callOutcome, createTestBed, errorOf, hostile, IS_ROOT, type TestBed, valueOfCall } from '../../testing/with-tool-domain.ts';

const TOKEN = 'tkn-9f8e7d6c5b4a';
const FAST = { backoffFirstMs: 100, startTimeoutMs: 20_000 };

describe.skipIf(IS_ROOT)('servers that misbehave (not run as root: stdio servers are never started by root)', () => {
  let bed: TestBed;
  beforeAll(async () => {
    bed = await createTestBed();
  });
  afterAll(() => bed.close());

  it('lists every page, ends a cursor that goes in a circle, and stops at 10,000 tools', async () => {
    const domain = await bed.restart(
      { pages: hostile('pages'), loop: hostile('cursor-loop'), thousands: hostile('thousands') },
      { times: FAST },
    );
    const { servers } = domain.summary();
    expect(servers.pages?.state).toBe('ready');
    expect(await valueOfCall(domain, 'pages.second_page')).toBe('called second_page');
    expect(servers.loop).toMatchObject({ state: 'ready', tools: 3 });
    expect((await domain.getIntegration(ADMIN, 'loop')).warnings.join()).toContain('circle');
    expect(servers.thousands).toMatchObject({ state: 'ready', tools: 10_000 });
    expect((await domain.getIntegration(ADMIN, 'thousands')).warnings.join()).toContain('10000 tools or more');
  });

  it('leaves out bad tool entries one by one and takes hostile names as data', async () => {
    const domain = await bed.restart({ bad: hostile('bad-tools') }, { times: FAST });
    const { warnings, state } = await domain.getIntegration(ADMIN, 'bad');
    expect(state).toBe('ready');
    for (const part of ['name', 'inputSchema', 'longer than 256', 'annotations']) expect(warnings.join('\n')).toContain(part);
    for (const name of ['__proto__', 'constructor', '../../x', 'a b', 'with"quote', 'class', 'broken_schema', 'endless_schema']) {
      expect(await valueOfCall(domain, `bad.${name}`)).toBe(`called ${name}`);
      expect((await domain.toolInfo(ADMIN, 'bad', name)).name).toBe(name);
    }
    const { items } = await domain.search(ADMIN, { q: 'tool', detail: 'description', limit: 100, offset: 0 });
    expect(Object.keys((items as Record<string, object>).bad ?? {})).toContain('echo');
    expect(JSON.stringify((await domain.search(ADMIN, { q: '', detail: 'description', limit: 100, offset: 0 })).items)).toContain(
      '"__proto__":"Ends',
    );
    expect(errorOf((await callOutcome(domain, 'bad.hasOwnProperty')).reply).code).toBe('TOOL_NOT_FOUND');
    expect(errorOf((await callOutcome(domain, '__proto__.echo')).reply).code).toBe('SERVER_NOT_FOUND');
  });

  it('shows a server that crashes, is silent or does not exist as broken with its reason, and holds nobody up', async () => {
    const domain = await bed.restart(
      {
        crash: hostile('crash', { env: { API_TOKEN: TOKEN } }),
        mute: hostile('mute'),
        absent: { command: 'no-such-command-anywhere' },
        unset: { command: 'node', env: { KEY: '$'.concat('{SURELY_UNSET_VARIABLE}') } },
        nowhere: { url: `http://127.0.0.1:${await closedPort()}/mcp` },
        well: hostile('plain'),
      },
      { times: { ...FAST, startTimeoutMs: 5_000 } },
    );
    const { servers } = domain.summary();
    expect(servers.crash?.reason).toContain('exited with code 3: cannot log in with [secret]');
    expect(servers.mute?.reason).toContain('did not finish starting within 5 s');
    expect(servers.absent?.reason).toContain('no-such-command-anywhere was not found');
    expect(servers.unset?.reason).toContain('env.KEY: the environment variable SURELY_UNSET_VARIABLE is not set');
    expect(servers.nowhere?.reason).toContain('ECONNREFUSED');
    expect(await valueOfCall(domain, 'well.echo', { value: 1 })).toEqual({ value: 1 });
    const { reply, effects } = await callOutcome(domain, 'unset.anything');
    expect(errorOf(reply)).toMatchObject({ code: 'UPSTREAM_UNAVAILABLE', message: expect.stringContaining('SURELY_UNSET_VARIABLE') });
    expect(effects).toBe('none');
  });

  it('never starts a server without its sandbox', async () => {
    const domain = await bed.restart({ plain: hostile('plain') }, { times: FAST, bwrapPath: '/nowhere/bwrap' });
    expect(domain.summary().servers.plain).toMatchObject({ state: 'broken', reason: expect.stringContaining('bubblewrap') });
  });

  it('starts a server where no /proc can be mounted, as in a container that masks parts of it, and says what that costs', async () => {
    // What a container runtime does: something lies over a part of /proc, and the kernel grants no new one to who lives there.
    const masking = join(bed.dir, 'masking-bwrap');
    const outer = 'exec bwrap --unshare-user --bind / / --dev-bind /dev /dev --tmpfs /proc/irq -- bwrap "$@"';
    await writeFile(masking, `#!/bin/sh\n${outer}\n`, { mode: 0o755 });
    const domain = await bed.restart({ plain: hostile('plain') }, { times: FAST, bwrapPath: masking });
    const [record] = await domain.listIntegrations(ADMIN);
    expect(record).toMatchObject({ state: 'ready', warnings: [expect.stringContaining('masks parts of /proc')] });
    expect(bed.log()).toContain('with less isolation than usual');
    const { pids } = (await valueOfCall(domain, 'plain.processes')) as { pids: string[] };
    expect(pids).toContain(String(process.pid));
    for (const secret of ['environ', 'maps', 'mem', 'root/', 'cwd/', 'fd/0'])
      expect(errorOf((await callOutcome(domain, 'plain.read', { path: `/proc/${process.pid}/${secret}` })).reply).message).toMatch(
        /EACCES|EPERM/,
      );
    expect(errorOf((await callOutcome(domain, 'plain.read', { path: join(bed.dataDir, 'seal.key') })).reply).message).toContain('ENOENT');
  });

  it('keeps secrets out of logs, errors, answers and replies, and bounds what a server may log', async () => {
    const domain = await bed.restart({ chatty: hostile('chatty', { env: { API_TOKEN: TOKEN } }) }, { times: FAST });
    const failed = errorOf((await callOutcome(domain, 'chatty.fail')).reply);
    expect(failed).toMatchObject({ code: 'TOOL_FAILED', message: 'it failed with [secret]' });
    expect(errorOf((await callOutcome(domain, 'chatty.refuse')).reply).message).toContain('refused with [secret]');
    expect(await valueOfCall(domain, 'chatty.env')).toMatchObject({ API_TOKEN: '[secret]' });
    expect(JSON.stringify(await domain.listIntegrations(ADMIN))).not.toContain(TOKEN);
    expect(bed.log()).not.toContain(TOKEN);
    const lines = bed
      .log()
      .split('\n')
      .filter((line) => line.includes('"server":"chatty"') && line.includes('"stderr"'));
    expect(lines.length).toBeGreaterThan(10);
    expect(lines.length).toBeLessThan(120);
    expect(lines.join('\n')).not.toContain('u001b');
  });

  it('gives a stdio server its own environment, processes and user, and hides the data directory from it', async () => {
    await writeFile(join(bed.dataDir, 'admin.key'), 'cex_very_secret\n');
    await writeFile(join(bed.dir, 'other.key'), 'another');
    process.env.SERVICE_ONLY = 'must-not-be-seen';
    const domain = await bed.restart(
      { plain: hostile('plain', { env: { OWN: 'x' } }) },
      { times: FAST, maskedPaths: [join(bed.dir, 'other.key')] },
    );
    const env = (await valueOfCall(domain, 'plain.env')) as Record<string, string>;
    expect(Object.keys(env).sort()).toEqual(['HOME', 'LANG', 'OWN', 'PATH', 'PWD', 'TMPDIR'].filter((name) => name in env));
    const { pids } = (await valueOfCall(domain, 'plain.processes')) as { pids: string[] };
    expect(pids.length).toBeLessThanOrEqual(3);
    expect(pids).not.toContain(String(process.pid));
    expect(await valueOfCall(domain, 'plain.read', { path: `${bed.dataDir}/` })).toBe('');
    for (const path of [join(bed.dataDir, 'admin.key'), join(bed.dataDir, 'seal.key'), join(bed.dir, 'other.key')]) {
      expect(errorOf((await callOutcome(domain, 'plain.read', { path })).reply).message).toMatch(/ENOENT|EACCES/);
    }
    expect(await valueOfCall(domain, 'plain.read', { path: '/etc/hostname' })).toBe(readFileSync('/etc/hostname', 'utf8'));
  });

  it('narrows what a server sees to its mounts and takes its network away where asked', async () => {
    await writeFile(join(bed.dir, 'shown.txt'), 'shown');
    await writeFile(join(bed.dir, 'hidden.txt'), 'hidden');
    const serverFiles = new URL('../../..', import.meta.url).pathname;
    const sandbox = { mounts: [join(bed.dir, 'shown.txt'), `${serverFiles}:ro`], network: false };
    const domain = await bed.restart({ plain: hostile('plain', { sandbox }) }, { times: FAST });
    expect(domain.summary().servers.plain).toMatchObject({ state: 'ready' });
    expect(await valueOfCall(domain, 'plain.read', { path: join(bed.dir, 'shown.txt') })).toBe('shown');
    expect(errorOf((await callOutcome(domain, 'plain.read', { path: join(bed.dir, 'hidden.txt') })).reply).message).toContain('ENOENT');
    expect(
      String(await valueOfCall(domain, 'plain.read', { path: '/proc/net/dev' }))
        .split('\n')
        .filter((line) => line.includes(':')),
    ).toHaveLength(1);
  });

  it('answers UPSTREAM_LOST with unknown effects when a server dies in a call, and the server comes back by itself', async () => {
    const domain = await bed.restart({ plain: hostile('plain') }, { times: FAST });
    const { reply, effects } = await callOutcome(domain, 'plain.die');
    expect(errorOf(reply)).toMatchObject({ code: 'UPSTREAM_LOST' });
    expect(effects).toBe('unknown');
    expect(await valueOfCall(domain, 'plain.echo', { value: 2 })).toEqual({ value: 2 });
    expect(await domain.getIntegration(ADMIN, 'plain')).toMatchObject({ state: 'ready', restarts: 1 });
  });

  it('times a call out, cancels it upstream, lets progress prolong it, and tells an abort from a timeout', async () => {
    const domain = await bed.restart({ plain: hostile('plain', { timeoutMs: 1_000 }) }, { times: FAST });
    const hung = await callOutcome(domain, 'plain.hang');
    expect(errorOf(hung.reply).code).toBe('TOOL_TIMEOUT');
    expect(hung.effects).toBe('unknown');
    expect(await valueOfCall(domain, 'plain.slow', { ms: 2_500, progress: true })).toBe('done');
    const aborted = await callOutcome(domain, 'plain.hang', {}, AbortSignal.timeout(50));
    expect(errorOf(aborted.reply).code).toBe('CALL_ABORTED');
    expect(aborted.effects).toBe('unknown');
    expect(await valueOfCall(domain, 'plain.counts')).toMatchObject({ cancelled: 2 });
  });

  it('ignores rubbish on stdout', async () => {
    const domain = await bed.restart({ rubbish: hostile('rubbish') }, { times: FAST });
    expect(await valueOfCall(domain, 'rubbish.echo', { value: [1] })).toEqual({ value: [1] });
  });

  it('refuses replies that are too large or too deep, and goes on', async () => {
    const domain = await bed.restart({ plain: hostile('plain') }, { times: FAST });
    expect(String(await valueOfCall(domain, 'plain.big', { bytes: 8 * 1024 * 1024 - 2 }))).toHaveLength(8 * 1024 * 1024 - 2);
    for (const bytes of [8 * 1024 * 1024, 30 * 1024 * 1024]) {
      const { reply, effects } = await callOutcome(domain, 'plain.big', { bytes });
      expect(errorOf(reply).code).toBe('REPLY_TOO_LARGE');
      expect(effects).toBe('some');
    }
    expect(errorOf((await callOutcome(domain, 'plain.deep')).reply).code).toBe('REPLY_TOO_LARGE');
    expect(errorOf((await callOutcome(domain, 'plain.no_object')).reply).code).toBe('TOOL_FAILED');
    expect(await valueOfCall(domain, 'plain.echo', { value: 3 })).toEqual({ value: 3 });
  });

  it('ends a server whose line never ends, without keeping the line', async () => {
    const domain = await bed.restart({ plain: hostile('plain') }, { times: FAST });
    const before = process.memoryUsage().rss;
    const { reply } = await callOutcome(domain, 'plain.flood');
    expect(errorOf(reply).code).toBe('UPSTREAM_LOST');
    expect(process.memoryUsage().rss - before).toBeLessThan(150 * 1024 * 1024);
    expect(await valueOfCall(domain, 'plain.echo', { value: 4 })).toEqual({ value: 4 });
  });

  it('answers a storm of list_changed with two listings, and shows the new tool', async () => {
    const domain = await bed.restart({ plain: hostile('plain') }, { times: FAST });
    await callOutcome(domain, 'plain.storm');
    await expect.poll(() => valueOfCall(domain, 'plain.late').catch(String), { timeout: 15_000 }).toBe('called late');
    await sleep(600);
    const { listings } = (await valueOfCall(domain, 'plain.counts')) as { listings: number };
    expect(listings).toBeGreaterThanOrEqual(2);
    expect(listings).toBeLessThanOrEqual(4);
    expect(readdirSync(await domain.snapshotDir('wsp_default'), { recursive: true }).join('\n')).toContain('late.ts');
  });

  it('leaves no process behind a server that ignores every request to end', async () => {
    const marker = `8${process.pid}${Date.now() % 100_000}`;
    const domain = await bed.restart({ stubborn: hostile('stubborn', {}, marker) }, { times: FAST });
    expect(processesWith(marker)).not.toHaveLength(0);
    await domain.close();
    await expect.poll(() => processesWith(marker), { timeout: 15_000 }).toHaveLength(0);
  });
});

async function closedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

function processesWith(marker: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(marker);
    } catch {
      // It ended between the two looks.
      return false;
    }
  });
}
