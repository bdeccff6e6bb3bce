import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { createTurns, type Turn, type Turns } from './turns.ts';

const NEVER = new AbortController().signal;

describe('turns of programs that start', () => {
  test('a program of a workspace that has none under way starts at once, however many of another one wait', async () => {
    const turns = createTurns(2);
    const busy = enterMany(turns, 'busy', 20);
    expect(await begun(busy)).toEqual([0, 1]);
    const quiet = enterMany(turns, 'quiet', 1);
    expect(await begun(quiet)).toEqual([0]);
    expect(quiet[0]?.turn.isOneOfMany).toBe(false);
    expect(await begun(busy)).toEqual([0, 1]);
  });

  test('the many of one workspace start in the order in which they came, as others of it are done, and know that they are many', async () => {
    const turns = createTurns(2);
    const busy = enterMany(turns, 'busy', 4);
    expect(busy.map(({ turn }) => turn.isOneOfMany)).toEqual([false, false, true, true]);
    busy[1]?.turn.end();
    expect(await begun(busy)).toEqual([0, 1, 2]);
    busy[0]?.turn.end();
    expect(await begun(busy)).toEqual([0, 1, 2, 3]);
  });

  test('workspaces that have many each take turns, whoever came first', async () => {
    const turns = createTurns(2);
    const one = enterMany(turns, 'one', 6);
    const other = enterMany(turns, 'other', 6);
    expect([await begun(one), await begun(other)]).toEqual([[0, 1], [0]]);
    // With one above what may start at once, the first that is done makes no room; the next one does, for whoever has fewer.
    one[0]?.turn.end();
    expect([await begun(one), await begun(other)]).toEqual([[0, 1], [0]]);
    one[1]?.turn.end();
    expect([await begun(one), await begun(other)]).toEqual([[0, 1, 2], [0]]);
    other[0]?.turn.end();
    expect([await begun(one), await begun(other)]).toEqual([
      [0, 1, 2],
      [0, 1],
    ]);
  });

  test('while another workspace is at work one of each starts at a time, and as many as before once that one has been quiet for a second', async () => {
    let nowMs = 0;
    const turns = createTurns(2, () => nowMs);
    enterMany(turns, 'quiet', 1)[0]?.turn.end();
    const busy = enterMany(turns, 'busy', 5);
    expect(await begun(busy)).toEqual([0]);
    nowMs = 900;
    busy[0]?.turn.end();
    expect(await begun(busy)).toEqual([0, 1]);
    nowMs = 1_100;
    busy[1]?.turn.end();
    expect(await begun(busy)).toEqual([0, 1, 2, 3]);
  });

  test('with many processors two of them are left to each other workspace that is at work', async () => {
    const turns = createTurns(9);
    enterMany(turns, 'quiet', 1);
    expect(await begun(enterMany(turns, 'busy', 20))).toHaveLength(7);
    enterMany(turns, 'third', 1)[0]?.turn.end();
    expect(await begun(enterMany(turns, 'fourth', 20))).toHaveLength(1);
  });

  test('never do more than twice as many start at once, of however many workspaces', async () => {
    const turns = createTurns(2);
    const each = Array.from({ length: 10 }, (_, index) => enterMany(turns, `workspace ${index}`, 1));
    expect((await Promise.all(each.map(begun))).flat()).toHaveLength(4);
    // They wait for others' programs and not for their own: none of them is one of many.
    expect(each.flat().map(({ turn }) => turn.isOneOfMany)).toEqual(Array.from({ length: 10 }, () => false));
  });

  test('a program that runs for long, or waits for a tool, makes room for the next', async () => {
    const turns = createTurns(1);
    const [first, second, third] = enterMany(turns, 'busy', 3);
    first?.turn.running();
    await second?.granted;
    second?.turn.end();
    await third?.granted;
    // Their ends make no further room: it was given back before.
    first?.turn.end();
    second?.turn.end();
    const later = enterMany(turns, 'busy', 2);
    expect(await begun(later)).toEqual([]);
    third?.turn.end();
    expect(await begun(later)).toEqual([0]);
  });

  test('one that is stopped while it waits leaves the line and holds nothing', async () => {
    const turns = createTurns(1);
    const [first] = enterMany(turns, 'busy', 1);
    const stop = new AbortController();
    const stopped = turns.enter('busy');
    const waiting = stopped.wait(stop.signal);
    stop.abort(new Error('cancelled'));
    await expect(waiting).rejects.toThrow('cancelled');
    stopped.end();
    const next = enterMany(turns, 'busy', 1);
    expect(await begun(next)).toEqual([]);
    first?.turn.end();
    expect(await begun(next)).toEqual([0]);
  });
});

interface Entered {
  readonly turn: Turn;
  readonly granted: Promise<void>;
  isGranted: boolean;
}

function enterMany(turns: Turns, workspaceId: string, count: number): Entered[] {
  return Array.from({ length: count }, () => {
    const turn = turns.enter(workspaceId);
    const entered: Entered = { turn, granted: turn.wait(NEVER), isGranted: false };
    void entered.granted.then(() => {
      entered.isGranted = true;
    });
    return entered;
  });
}

/** Which of them may start, once whatever was due has happened. */
async function begun(entered: readonly Entered[]): Promise<number[]> {
  await sleep(0);
  return entered.flatMap(({ isGranted }, index) => (isGranted ? [index] : []));
}
