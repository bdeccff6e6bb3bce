import { expect, test } from 'vitest';
import type { Evidence } from './judge.ts';
import { probeProgram } from './programs.ts';
import { recoveriesOf } from './run-chaos.ts';

const STRIKES = [
  { kind: 'kill worker', atMs: 10_000, probeMs: 80, backMs: 2_400 },
  { kind: 'terminate worker', atMs: 13_700, probeMs: 60, backMs: 3_000 },
] as const;

function lost(createdAtMs: number, endedAtMs: number): Evidence {
  const program = probeProgram(1, 'test');
  const final = {
    ...{ executionId: 'exe_1', status: 'failed', output: '', result: null, effects: 'unknown' as const, toolCalls: [] },
    error: { code: 'WORKER_LOST', message: '' },
    createdAt: new Date(createdAtMs).toISOString(),
    endedAt: new Date(endedAtMs).toISOString(),
  };
  const story = { program, ids: new Set(['exe_1']), startedAt: 0, acceptedAt: 1, endedAt: 2, seen: final, log: null };
  return { story: { ...story, refusals: [], problems: [] }, final, writes: [], claims: 1 };
}

test('what a killed worker ran counts as lost by that, although the next fault has begun when its lease is over', () => {
  const recoveries = recoveriesOf(STRIKES, [lost(9_900, 14_056), lost(9_000, 14_200), lost(13_500, 13_900)]);
  expect(recoveries.map(({ kind, lostEndedMs }) => [kind, lostEndedMs])).toEqual([
    ['kill worker', [4_056, 4_200]],
    ['terminate worker', [200]],
  ]);
});
