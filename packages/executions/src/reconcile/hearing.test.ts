import { expect, test } from 'vitest';
import { createHearing } from './hearing.ts';

const LEASE_MS = 4_000;

/** Looks of 10 ms, one after the other; answers what each began with. */
function look(times: readonly (number | 'missed')[]): boolean[] {
  let nowMs = 0;
  const hearing = createHearing(LEASE_MS, () => nowMs);
  return times.map((afterMs) => {
    if (afterMs === 'missed') {
      hearing.begin();
      hearing.missed();
      return false;
    }
    nowMs += afterMs;
    const mayJudge = hearing.begin();
    nowMs += 10;
    hearing.heard();
    return mayJudge;
  });
}

test('nobody is judged before a whole lease of hearing', () => {
  const answers = look(Array.from({ length: 12 }, () => 490));
  expect(answers).toEqual([...Array.from({ length: 9 }, () => false), true, true, true]);
});

test('after a look that failed, and after one that came late, the lease of hearing begins anew', () => {
  const steady = Array.from({ length: 10 }, () => 490);
  expect(look([...steady, 'missed', 490, 490]).slice(-3)).toEqual([false, false, false]);
  expect(look([...steady, 3_000, 490]).slice(-2)).toEqual([false, false]);
  expect(look([...steady, 1_000, 490]).slice(-2)).toEqual([true, true]);
});

test('what a look saw that was held up itself is not believed, and hearing begins anew', () => {
  let nowMs = 0;
  const hearing = createHearing(LEASE_MS, () => nowMs);
  for (; nowMs < 6_000; nowMs += 500) {
    hearing.begin();
    hearing.heard();
  }
  expect(hearing.begin()).toBe(true);
  expect(hearing.isFresh()).toBe(true);
  nowMs += 5_000;
  expect(hearing.isFresh()).toBe(false);
  hearing.heard();
  nowMs += 100;
  expect(hearing.begin()).toBe(false);
});
