import { setTimeout as sleep } from 'node:timers/promises';
import type { ExecutionEvent } from '@code-executor/contracts';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ExecutionRecord } from '../port.ts';
import { createEventLog, type EventLog } from './event-log.ts';
import { replayEvents, storeEvents } from './stored-events.ts';

const never = new AbortController().signal;
const SMALL = { headLength: 64, tailLength: 32, singleLines: 20, flushMs: 5 };

async function collect(events: AsyncIterable<ExecutionEvent>): Promise<ExecutionEvent[]> {
  const all: ExecutionEvent[] = [];
  for await (const event of events) all.push(event);
  return all;
}

function attempt<T>(act: () => T): T | string {
  try {
    return act();
  } catch (error) {
    return (error as { code: string }).code;
  }
}

type Step = { output: string } | { tool: string };
const steps = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.record({ output: fc.string({ unit: fc.constantFrom('a', '\n', '\u{1f600}', '\u0000'), maxLength: 40 }) }) },
    { weight: 1, arbitrary: fc.record({ tool: fc.constantFrom('a.b', 'c.d') }) },
  ),
  { maxLength: 40 },
);

function play(log: EventLog, all: readonly Step[]): void {
  log.status('queued', new Date(1_000));
  for (const step of all) {
    if ('output' in step) log.output(step.output);
    else log.toolCall({ tool: step.tool, outcome: 'ok', durationMs: 1.5 });
  }
}

const recordOf = (output: string): ExecutionRecord =>
  ({ status: 'succeeded', error: null, output, createdAt: new Date(1_000).toISOString() }) as ExecutionRecord;

describe('an event log', () => {
  test('gives, whatever happened, the same events live, at the end and from the database', async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (all) => {
        const log = createEventLog(SMALL);
        play(log, all);
        const printed = all.map((step) => ('output' in step ? step.output : '')).join('');
        log.flush();
        const json = storeEvents(log.events(), log.lastId(), printed);
        log.end('succeeded', null);
        const live = await collect(log.follow(0, never));
        const record = recordOf(printed);
        expect(replayEvents(record, json, 0)).toEqual(live);
        for (let afterId = 0; afterId <= log.lastId() + 1; afterId += 1) {
          const fromLog = attempt(() => log.follow(afterId, never));
          const stored = attempt(() => replayEvents(record, json, afterId));
          if (typeof fromLog === 'string') expect(stored).toBe(fromLog);
          else expect(stored).toEqual(await collect(fromLog));
        }
      }),
      // One event that is longer than the whole tail.
      { examples: [[[{ output: 'a'.repeat(70) }]]] },
    );
  });

  test('keeps the head and at least the whole tail, within bounds, and its ids count without a gap', () => {
    fc.assert(
      fc.property(steps, (all) => {
        const log = createEventLog(SMALL);
        play(log, all);
        log.flush();
        const kept = log.events();
        const ids = kept.map(({ id }) => id);
        expect([...ids].sort((left, right) => left - right)).toEqual(ids);
        expect(new Set(ids).size).toBe(ids.length);
        const printed = all.map((step) => ('output' in step ? step.output : '')).join('');
        const texts = kept.flatMap((event) => (event.type === 'output' ? [event.data.text] : []));
        expect(kept.at(-1)?.id).toBe(log.lastId());
        expect(texts.join('').endsWith(printed.slice(-SMALL.tailLength))).toBe(true);
        // Events go whole: what the oldest one is long may be above the limit.
        const longest = Math.max(0, ...texts.map((text) => text.length));
        expect(log.outputText().length).toBeLessThanOrEqual(SMALL.headLength + SMALL.tailLength + longest);
        expect(kept.filter(({ type }) => type === 'tool_call')).toHaveLength(all.filter((step) => 'tool' in step).length);
        if (printed.length <= SMALL.headLength) expect(log.outputText()).toBe(printed);
      }),
      // One event that is longer than the whole tail.
      { examples: [[[{ output: 'a'.repeat(70) }]]] },
    );
  });

  test('holds a hundred thousand quick lines in few events', () => {
    const log = createEventLog();
    for (let line = 0; line < 100_000; line += 1) log.output(`${line}\n`);
    log.end('succeeded', null);
    expect(log.events().length).toBeLessThan(700);
    expect(log.outputText().startsWith('0\n1\n2\n')).toBe(true);
    expect(log.outputText().endsWith('99998\n99999\n')).toBe(true);
    expect(log.outputText().length).toBeLessThanOrEqual(108 * 1024);
  });

  test('writes an unfinished line out after its time', async () => {
    const log = createEventLog(SMALL);
    log.output('no newline');
    expect(log.events()).toEqual([]);
    await sleep(30);
    expect(log.events()).toMatchObject([{ id: 1, data: { text: 'no newline' } }]);
  });

  test('refuses to go on from within what was dropped, and goes on behind it', async () => {
    const log = createEventLog({ ...SMALL, singleLines: 1_000 });
    for (let line = 100; line < 200; line += 1) log.output(`${line}\n`);
    log.end('succeeded', null);
    const kept = (await collect(log.follow(0, never))).map(({ id }) => id);
    const firstKeptBehind = kept.find((id, index) => index > 0 && id !== (kept[index - 1] ?? 0) + 1) ?? 0;
    expect(firstKeptBehind).toBeGreaterThan(17);
    expect(() => log.follow(firstKeptBehind - 2, never)).toThrow(expect.objectContaining({ code: 'EVENTS_GONE' }));
    expect((await collect(log.follow(firstKeptBehind - 1, never))).map(({ id }) => id)).toEqual(kept.filter((id) => id >= firstKeptBehind));
  });

  test('a slow follower skips what was dropped while it looked away', async () => {
    const log = createEventLog(SMALL);
    const follower = log.follow(0, never)[Symbol.asyncIterator]();
    log.output('first\n');
    expect(await follower.next()).toMatchObject({ value: { id: 1 } });
    for (let line = 0; line < 5_000; line += 1) log.output(`${line}\n`);
    log.end('succeeded', null);
    const rest: string[] = [];
    for (let next = await follower.next(); !next.done; next = await follower.next()) rest.push(next.value.type);
    expect(rest.length).toBeLessThan(40);
    expect(rest.at(-1)).toBe('ended');
  });

  test('any number of followers see every event', async () => {
    const log = createEventLog(SMALL);
    const followers = Array.from({ length: 50 }, () => collect(log.follow(0, never)));
    await sleep(1);
    log.output('one\ntwo\n');
    await sleep(1);
    log.end('succeeded', null);
    for (const events of await Promise.all(followers)) expect(events.map(({ id }) => id)).toEqual([1, 2, 3]);
  });
});

test('the events of an execution whose process died cannot be gone on with, only begun again', () => {
  const record = { ...recordOf(''), status: 'failed' } as ExecutionRecord;
  expect(replayEvents(record, null, 0).map(({ type }) => type)).toEqual(['status', 'ended']);
  expect(() => replayEvents(record, null, 57)).toThrow(expect.objectContaining({ code: 'EVENTS_GONE' }));
  expect(() => replayEvents(record, null, -1)).toThrow(expect.objectContaining({ code: 'INVALID_EVENT_ID' }));
});
