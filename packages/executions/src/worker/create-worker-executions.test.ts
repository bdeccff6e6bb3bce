import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { replayEvents } from '../events/stored-events.ts';
import type { ExecutionRecord } from '../port.ts';
import { openTestWorker, type TestWorker } from '../testing/open-test-worker.ts';

const directory = mkdtempSync(join(tmpdir(), 'worker-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
const newFile = (): string => join(directory, randomUUID());
const linesOf = (file: string): string[] => {
  try {
    return readFileSync(file, 'utf8').split('\n').filter(Boolean);
  } catch {
    return [];
  }
};

let worker: TestWorker;
beforeEach(async () => {
  worker = await openTestWorker();
});
afterEach(async () => worker.close());

const until = (what: () => unknown, value: unknown, timeout = 8_000) => expect.poll(what, { timeout, interval: 10 }).toEqual(value);
const outcomeOf = (id: string) => worker.ledger.row(id).ended?.outcome;

describe('an execution that a worker is handed', () => {
  test('is claimed, runs with the wrappers of the version its claim names, and its end is written with its grant', async () => {
    worker.ledger.catalogVersion = 'v7';
    const id = await worker.run('echo hello; echo "call write" >&3; read reply; echo "result {\\"n\\":12345678901234567890}" >&3');
    expect(worker.ledger.row(id)).toMatchObject({ status: 'succeeded', token: 1, workerId: 'worker-test' });
    expect(outcomeOf(id)).toMatchObject({ output: 'hello\n', resultJson: '{"n":12345678901234567890}', effects: 'some', warm: false });
    expect(worker.versions).toEqual(['v7']);
    expect(worker.tools.grants).toEqual([
      { executionId: id, workspaceId: 'wsp_default', principalId: 'key_test', bearer: `grant-${id}-1` },
    ]);
    await expect.poll(() => worker.ended).toMatchObject([{ executionId: id, status: 'succeeded', effects: 'some', toolCalls: 1 }]);
  });

  test('of a workspace that has none under way goes before the many of another, which yield from then on', async () => {
    const booted: (boolean | undefined)[] = [];
    const { promise: mayBoot, resolve: letBoot } = Promise.withResolvers<void>();
    await worker.close();
    worker = await openTestWorker({
      startsAtOnce: 1,
      async boot({ yields }) {
        booted.push(yields);
        if (booted.length === 1) await mayBoot;
      },
    });
    const busy = [1, 2, 3].map(() => worker.ledger.add('true', { workspaceId: 'wsp_busy' }));
    const handled = busy.map((id) => worker.deliver(id));
    await until(() => busy.map((id) => worker.ledger.row(id).status), ['running', 'running', 'running']);
    // Each asks for its wrappers right before its turn.
    await until(() => [worker.versions.length, booted.length], [3, 1]);
    const quiet = await worker.run('true');
    expect(worker.ledger.row(quiet).status).toBe('succeeded');
    expect(booted).toEqual([false, false]);
    letBoot();
    await Promise.all(handled);
    expect(booted).toEqual([false, false, true, true]);
    expect(busy.map((id) => worker.ledger.row(id).status)).toEqual(['succeeded', 'succeeded', 'succeeded']);
  });

  test('and that is not queued any more is left alone', async () => {
    const id = worker.ledger.add('true');
    worker.ledger.row(id).status = 'cancelled';
    await worker.deliver(id);
    expect(worker.runtime.counts.claimed).toBe(0);
    expect(worker.ledger.row(id).status).toBe('cancelled');
  });

  test('runs once, however often its id is handed out', async () => {
    const file = newFile();
    const id = worker.ledger.add(`echo started >> ${file}; sleep 0.3`);
    await Promise.all([worker.deliver(id), worker.deliver(id), worker.deliver(id)]);
    await worker.deliver(id);
    expect(linesOf(file)).toEqual(['started']);
    expect(worker.ledger.row(id).status).toBe('succeeded');
  });

  test('something that is no id is not even asked for', async () => {
    await worker.deliver('../administration');
    expect(worker.ledger.requests).not.toContain('claim');
  });
});

describe('a claim', () => {
  test('whose answer was lost is asked for again, and its program runs once', async () => {
    const file = newFile();
    worker.ledger.fail('claim', 'lost', 2);
    const id = await worker.run(`echo started >> ${file}`);
    expect(worker.ledger.row(id)).toMatchObject({ status: 'succeeded', token: 1 });
    expect(linesOf(file)).toEqual(['started']);
  });

  test('of what it was told of before its turn is made when the queue hands it out meanwhile', async () => {
    worker.ledger.fail('claim', 'early');
    const id = worker.ledger.add('true');
    worker.tell(id);
    await worker.deliver(id);
    expect(worker.ledger.row(id).status).toBe('succeeded');
    expect(worker.ledger.requests.filter((route) => route === 'claim')).toHaveLength(2);
  });

  test('that the ledger cannot give leaves the execution queued', async () => {
    worker.ledger.fail('claim', 503, 10);
    const id = await worker.run('true');
    expect(worker.ledger.row(id).status).toBe('queued');
    expect(worker.runtime.counts.claimed).toBe(0);
  });

  test('is renewed for as long as its program runs', async () => {
    const id = worker.ledger.add('sleep 1.5');
    const handled = worker.deliver(id);
    await sleep(1_300);
    expect(worker.ledger.row(id).leaseUntilMs).toBeGreaterThan(performance.now() + 200);
    await handled;
    expect(worker.ledger.row(id).status).toBe('succeeded');
    expect(worker.ledger.reports.at(-1)).toMatchObject({ workerId: 'worker-test', slots: 4, draining: false });
  });

  test('that somebody else has now stops the program at once, and nothing of it is written', async () => {
    const file = newFile();
    const id = worker.ledger.add(`echo started >> ${file}; sleep 1; echo end >> ${file}`);
    const handled = worker.deliver(id);
    await until(() => linesOf(file), ['started']);
    worker.ledger.row(id).token = 2;
    await handled;
    expect(worker.ledger.row(id)).toMatchObject({ status: 'running', ended: null });
    await sleep(1_200);
    expect(linesOf(file)).toEqual(['started']);
    expect(worker.ledger.requests).not.toContain('finish');
    expect(worker.executions.stats().leasesLost).toBe(1);
    expect(worker.ended).toEqual([]);
  });

  test('that nobody judged while the ledger was away beyond the lease is renewed, and a call waits for that', async () => {
    const file = newFile();
    const id = worker.ledger.add(`echo started >> ${file}; sleep 0.9; echo "call write" >&3; read reply; echo "$reply"`);
    const handled = worker.deliver(id);
    await until(() => linesOf(file), ['started']);
    await worker.ledger.down();
    await sleep(1_500);
    expect(worker.tools.calls).toEqual([]);
    await worker.ledger.up();
    await handled;
    expect(worker.tools.calls).toEqual(['write']);
    expect(worker.ledger.row(id)).toMatchObject({ status: 'succeeded' });
    expect(worker.executions.stats().leasesLost).toBe(0);
  });

  test('that the proxy holds for lapsed is renewed, and the call made again', async () => {
    const id = await worker.run('echo "call lapsed" >&3; read reply; echo "$reply"');
    expect(outcomeOf(id)).toMatchObject({ status: 'succeeded', output: '{"ok":true,"value":"lapsed"}\n' });
    expect(worker.tools.calls).toEqual(['lapsed', 'lapsed']);
  });

  test('that cannot be renewed for long is given up, and its program makes no more calls', async () => {
    const file = newFile();
    const id = worker.ledger.add(`echo started >> ${file}; sleep 5; echo "call write" >&3; read reply; echo called >> ${file}`);
    const handled = worker.deliver(id);
    await until(() => linesOf(file), ['started']);
    await worker.ledger.down();
    const since = performance.now();
    await handled;
    expect(performance.now() - since).toBeLessThan(4_500);
    await worker.ledger.up();
    await sleep(600);
    expect(worker.tools.calls).toEqual([]);
    expect(worker.ledger.row(id)).toMatchObject({ status: 'running', ended: null });
    // And it is not taken up again: its code has started once.
    await worker.deliver(id);
    expect(linesOf(file)).toEqual(['started']);
  });

  test('that was judged while this process stood still: the first thing its program asks for is refused', async () => {
    const id = worker.ledger.add('sleep 0.3; echo "call write" >&3; read reply; echo "$reply"');
    const handled = worker.deliver(id);
    await until(() => worker.runtime.counts.claimed, 1);
    worker.ledger.row(id).status = 'failed';
    // As SIGSTOP does: no timer runs, the clock goes on, and the program's frames lie ready when it wakes.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_000);
    await handled;
    expect(worker.tools.calls).toEqual([]);
    expect(worker.ledger.row(id)).toMatchObject({ status: 'failed', ended: null });
  });
});

describe('the end of an execution', () => {
  test('is written once the ledger is back, and the claim is kept until then', async () => {
    const file = newFile();
    const id = worker.ledger.add(`echo started >> ${file}; sleep 0.3`);
    const handled = worker.deliver(id);
    await until(() => linesOf(file), ['started']);
    await worker.ledger.down();
    await sleep(400);
    await sleep(1_000);
    await worker.ledger.up();
    await handled;
    expect(worker.ledger.row(id).status).toBe('succeeded');
    expect(worker.executions.stats().leasesLost).toBe(0);
  });

  test('whose answer was lost is sent again and counts once', async () => {
    worker.ledger.fail('finish', 'lost', 1);
    const id = await worker.run('echo out');
    expect(worker.ledger.row(id).status).toBe('succeeded');
    expect(worker.ledger.requests.filter((route) => route === 'finish')).toHaveLength(2);
    expect(worker.executions.stats().running).toBe(0);
  });

  test('that somebody else wrote first stays theirs', async () => {
    const id = worker.ledger.add('sleep 0.1');
    const row = worker.ledger.row(id);
    const handled = worker.deliver(id);
    await until(() => worker.runtime.counts.claimed, 1);
    row.status = 'failed';
    await handled;
    expect(row).toMatchObject({ status: 'failed', ended: null });
    expect(worker.ended).toEqual([]);
  });
});

describe('a cancellation', () => {
  test('that is heard of stops the program within moments', async () => {
    const id = worker.ledger.add('echo begun; sleep 20');
    const handled = worker.deliver(id);
    await until(() => worker.ledger.row(id).events.some(({ type }) => type === 'output'), true);
    worker.executions.cancel(id);
    await handled;
    expect(outcomeOf(id)).toMatchObject({ status: 'cancelled', output: 'begun\n', error: { code: 'CANCELLED' } });
  });

  test('that is not heard of comes with the next renewal', async () => {
    const id = worker.ledger.add('sleep 20');
    const handled = worker.deliver(id);
    await until(() => worker.runtime.counts.claimed, 1);
    worker.ledger.row(id).cancelRequested = true;
    await handled;
    expect(outcomeOf(id)).toMatchObject({ status: 'cancelled' });
  });

  test('of an execution that runs elsewhere is nothing', () => {
    worker.executions.cancel('exe_00000000000000000000000000');
  });
});

describe('live events', () => {
  test('of what ends at once are not sent: the end carries them', async () => {
    await worker.close();
    // A busy machine is no reason for the program to outlast it.
    worker = await openTestWorker({ eventIntervalMs: 5_000 });
    const id = await worker.run('echo a; echo b');
    expect(worker.ledger.requests).not.toContain('events');
    const row = worker.ledger.row(id);
    const record = {
      ...row.ended?.outcome,
      createdAt: row.execution.createdAt.toISOString(),
      output: 'a\nb\n',
    } as unknown as ExecutionRecord;
    const texts = replayEvents(record, row.ended?.eventsJson ?? null, 0).flatMap((event) =>
      event.type === 'output' ? [event.data.text] : [],
    );
    expect(texts.join('')).toBe('a\nb\n');
  });

  test('arrive in order, in batches, each once, while the program runs', async () => {
    const id = worker.ledger.add('i=0; while [ $i -lt 300 ]; do echo $i; i=$((i+1)); done; sleep 0.5; echo last; sleep 0.4');
    await worker.deliver(id);
    const { events } = worker.ledger.row(id);
    expect(events.map((event) => event.id)).toEqual(events.map((_event, index) => index + 1));
    const text = events.flatMap((event) => (event.type === 'output' ? [event.data.text] : [])).join('');
    expect(text).toBe(`${Array.from({ length: 300 }, (_none, number) => `${number}\n`).join('')}last\n`);
    expect(events.some(({ type }) => type === 'ended')).toBe(false);
    expect(worker.ledger.requests.filter((route) => route === 'events').length).toBeLessThan(12);
  });

  test('wait while they cannot be sent, and the program does not', async () => {
    worker.ledger.fail('events', 503, 3);
    const startedMs = performance.now();
    const id = worker.ledger.add('for i in 1 2 3 4 5; do echo $i; sleep 0.2; done; sleep 0.6');
    await worker.deliver(id);
    expect(performance.now() - startedMs).toBeLessThan(3_000);
    const { events } = worker.ledger.row(id);
    expect(events.map((event) => event.id)).toEqual(events.map((_event, index) => index + 1));
    expect(events.flatMap((event) => (event.type === 'output' ? [event.data.text] : [])).join('')).toBe('1\n2\n3\n4\n5\n');
    expect(worker.executions.stats().eventFailures).toBe(3);
  });
});

describe('closing', () => {
  test('lets finish what runs, and hands back what is not claimed yet', async () => {
    const running = worker.ledger.add('sleep 0.4; echo done');
    const handled = worker.deliver(running);
    await until(() => worker.runtime.counts.claimed, 1);
    const closed = worker.executions.close({ graceMs: 5_000 });
    const late = worker.ledger.add('true');
    await worker.deliver(late);
    await Promise.all([handled, closed]);
    expect(outcomeOf(running)).toMatchObject({ status: 'succeeded', output: 'done\n' });
    expect(worker.ledger.row(late).status).toBe('queued');
    expect(worker.ledger.reports.at(-1)).toMatchObject({ draining: true, running: 0 });
  });

  test('ends truthfully what does not finish within the grace', async () => {
    const id = worker.ledger.add('echo "call write" >&3; read reply; echo written; sleep 20');
    const handled = worker.deliver(id);
    await until(() => worker.tools.calls, ['write']);
    await sleep(100);
    await worker.executions.close({ graceMs: 100 });
    await handled;
    expect(outcomeOf(id)).toMatchObject({ status: 'failed', error: { code: 'WORKER_LOST' }, effects: 'some', output: 'written\n' });
  });

  test('does not wait for a ledger that is away with what was only handed out', async () => {
    await worker.ledger.down();
    await sleep(700);
    const id = worker.ledger.add('true');
    const handled = worker.deliver(id);
    await sleep(50);
    const since = performance.now();
    await worker.executions.close({ graceMs: 5_000 });
    await handled;
    expect(performance.now() - since).toBeLessThan(3_000);
    expect(worker.ledger.row(id).status).toBe('queued');
  });
});
