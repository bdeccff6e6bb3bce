import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ToolCallOutcome } from '../port.ts';
import { readCheckpoint } from './checkpoint.ts';
import { createRecording, type Recording } from './recording.ts';
import { sizeWithin } from './size-within.ts';

const never = new AbortController().signal;
const answer = (value: unknown, effects: ToolCallOutcome['effects'] = 'some'): ToolCallOutcome => ({ reply: { ok: true, value }, effects });

function begin(past: string | null = null): { recording: Recording; diverged: string[]; unanswered: { count: number } } {
  const diverged: string[] = [];
  const unanswered = { count: 0 };
  const onUnanswered = (): void => {
    unanswered.count += 1;
  };
  const options = { isReplayable: true, past: past === null ? null : readCheckpoint(past) };
  const heard = { onDiverged: (what: string) => void diverged.push(what), onUnanswered };
  return { recording: createRecording(options, heard, never), diverged, unanswered };
}

const dispatched = (): Promise<ToolCallOutcome> => Promise.reject(new Error('it was dispatched'));

describe('the record of an execution', () => {
  test('answers the same calls as they were answered, in the order of the answers, and dispatches none of them', async () => {
    const values = fc.array(fc.record({ value: fc.jsonValue({ maxDepth: 2 }), delay: fc.nat(5) }), { minLength: 1, maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(values, async (calls) => {
        const first = begin();
        const order: number[] = [];
        await Promise.all(
          calls.map(async ({ value, delay }, index) => {
            await first.recording.call(index + 1, { tool: `t.${index}`, args: { value } }, async () => {
              await new Promise((resolve) => setTimeout(resolve, delay));
              return answer(value);
            });
            order.push(index);
          }),
        );
        const second = begin(first.recording.checkpoint([], ['apr_1']));
        const again: number[] = [];
        const replies = await Promise.all(
          calls.map(async ({ value }, index) => {
            const outcome = await second.recording.call(index + 1, { tool: `t.${index}`, args: { value } }, dispatched);
            again.push(index);
            return outcome;
          }),
        );
        expect(replies.map(({ reply, effects }) => ({ reply, effects }))).toEqual(
          calls.map(({ value }) => JSON.parse(JSON.stringify(answer(value)))),
        );
        expect(again).toEqual(order);
        expect([second.diverged, second.recording.leftOver()]).toEqual([[], null]);
      }),
      { numRuns: 25 },
    );
  });

  test('notices another tool, other arguments, other output and less of either', async () => {
    const first = begin();
    first.recording.output('one\n');
    await first.recording.call(1, { tool: 'a.b', args: { x: 1 } }, async () => answer(1));
    const past = first.recording.checkpoint([], []);
    for (const call of [
      { tool: 'a.c', args: { x: 1 } },
      { tool: 'a.b', args: { x: 2 } },
    ]) {
      const { recording, diverged } = begin(past);
      expect((await recording.call(1, call, dispatched)).reply).toMatchObject({ ok: false, error: { code: 'REPLAY_DIVERGED' } });
      expect(diverged).toHaveLength(1);
    }
    const other = begin(past);
    expect(other.recording.output('onf')).toBe('');
    expect(other.diverged).toEqual(['it prints something else']);
    expect(begin(past).recording.leftOver()).toContain('call 1');
  });

  test('lets through what is printed anew, wherever the texts are cut', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.array(fc.nat(40)), (before, after, cuts) => {
        const first = begin();
        first.recording.output(before);
        const { recording } = begin(first.recording.checkpoint([], []));
        const whole = before + after;
        const places = [0, ...cuts.map((cut) => Math.min(cut, whole.length)).sort((a, b) => a - b), whole.length];
        const said = places.slice(1).map((place, index) => recording.output(whole.slice(places[index], place)));
        expect(said.join('')).toBe(after);
      }),
    );
  });

  test('says where a call was made whose answer is missing', async () => {
    const first = begin();
    void first.recording.call(1, { tool: 'a.b', args: {} }, () => new Promise(() => undefined));
    const second = begin(first.recording.checkpoint([], []));
    const repeated: ToolCallOutcome = { reply: { ok: false, error: { code: 'CALL_REPEATED', message: '' } }, effects: 'none' };
    expect((await second.recording.call(1, { tool: 'a.b', args: {} }, async () => repeated)).effects).toBe('unknown');
    expect(second.unanswered.count).toBe(1);
  });

  test('is none where a thread was started, or the answers are too many to be kept', async () => {
    const tainted = begin();
    await tainted.recording.call(1, { tool: 'a.b', args: {}, journal: { clock: {}, tainted: 'it started a thread' } }, async () =>
      answer(1),
    );
    expect(tainted.recording.checkpoint([], [])).toBeNull();
    const large = begin();
    await large.recording.call(1, { tool: 'a.b', args: {} }, async () => answer('x'.repeat(5_000_000)));
    expect(large.recording.checkpoint([], [])).toBeNull();
  });

  test('is followed to its end by a replay that goes on to answers too large to be kept', async () => {
    const first = begin();
    await first.recording.ask('list_servers', {}, async () => ({ ok: true, value: [] }));
    await first.recording.call(1, { tool: 'a.b', args: {} }, async () => answer(1));
    const { recording, diverged } = begin(first.recording.checkpoint([], []));
    await recording.ask('list_servers', {}, () => Promise.reject(new Error('it was asked')));
    await recording.call(1, { tool: 'a.b', args: {} }, dispatched);
    await recording.call(2, { tool: 'a.large', args: {} }, async () => answer('x'.repeat(5_000_000)));
    expect(await recording.ask('get_tool', { server: 'a' }, async () => ({ ok: true, value: 'found' }))).toEqual({
      ok: true,
      value: 'found',
    });
    expect([diverged, recording.leftOver(), recording.checkpoint([], [])]).toEqual([[], null, null]);
  });
});

test('a size is counted to a limit and no further', () => {
  expect(
    sizeWithin(
      Array.from({ length: 10_000 }, () => ({ a: 1 })),
      1_000,
    ),
  ).toBeGreaterThan(1_000);
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      expect(sizeWithin(value, 1e9)).toBeGreaterThanOrEqual(JSON.stringify(value).length / 8);
    }),
  );
});
