import { expect, test } from 'vitest';
import { type Evidence, judge } from './judge.ts';
import type { LedgerEntry } from './ledger-server.ts';
import { probeProgram } from './programs.ts';
import type { SeenExecution } from './run-program.ts';

const write = (nonce: string, sequence = 1): LedgerEntry => ({ nonce, sequence, idempotencyKey: `${nonce} ${sequence}` });

/** One execution with one write that has gone well, but for what is said otherwise. */
function evidenceOf(
  changed: Partial<SeenExecution> = {},
  options: {
    readonly ids?: string[];
    readonly writes?: LedgerEntry[];
    readonly claims?: number;
    readonly told?: Partial<SeenExecution>;
  } = {},
): Evidence {
  const program = probeProgram(1, 'test');
  const { ids = ['exe_1'], writes = [write(program.nonce)], claims = 1, told = {} } = options;
  const final: SeenExecution = {
    ...{ executionId: 'exe_1', status: 'succeeded', output: 'line 1\nover\n', result: program.nonce, error: null, effects: 'some' },
    ...{ toolCalls: [{ tool: 'ledger.write', outcome: 'ok' }], createdAt: 'then', endedAt: 'now' },
    ...changed,
  };
  const times = { startedAt: 0, acceptedAt: 1, endedAt: 2 };
  const seen = { ...final, ...told };
  return { story: { program, ids: new Set(ids), ...times, seen, log: null, refusals: [], problems: [] }, final, writes, claims };
}

const judged = (evidence: Evidence, listed = ['exe_1']) => judge([evidence], evidence.writes, listed);
const WORKER_LOST = { status: 'failed', result: null, error: { code: 'WORKER_LOST', message: '' }, toolCalls: [] };

test('an execution that did what it says passes', () => {
  const { lost, doubledExecutions, doubledCalls, untruthful, brokenLogs, otherProblems } = judged(evidenceOf());
  expect([lost, doubledExecutions, doubledCalls, untruthful, brokenLogs, otherProblems].flat()).toEqual([]);
  expect(judged(evidenceOf({ ...WORKER_LOST, effects: 'unknown' })).untruthful).toEqual([]);
});

test.each<[string, Partial<SeenExecution>, LedgerEntry[]]>([
  ['a success without its write', {}, []],
  ['a success that hides its write', { effects: 'none' }, [write('test-probe-1')]],
  ['a lost worker that is said to have done nothing', { ...WORKER_LOST, effects: 'none' }, [write('test-probe-1')]],
  ['a lost worker that is said to have done something', { ...WORKER_LOST, effects: 'some' }, []],
  ['a syntax error in a sound program', { status: 'failed', error: { code: 'SYNTAX_ERROR', message: '' } }, [write('test-probe-1')]],
  ['an answer that is missing nowhere', { effects: 'unknown' }, [write('test-probe-1')]],
])('%s is untruthful', (_, changed, writes) => {
  expect(judged(evidenceOf(changed, { writes })).untruthful.length).toBeGreaterThan(0);
});

test.each<Partial<SeenExecution>>([
  { status: 'failed' },
  { effects: 'none' },
  { result: 'another' },
  { output: 'line 1\n' },
  { toolCalls: [{ tool: 'ledger.write', outcome: 'UPSTREAM_LOST' }] },
])('an end that was first told with %j is untruthful', (told) => {
  expect(judged(evidenceOf({}, { told })).untruthful.length).toBeGreaterThan(0);
});

test('an execution that was claimed a second time is found', () => {
  expect(judged(evidenceOf({}, { claims: 2 })).doubledExecutions).toHaveLength(1);
});

test('a call that came twice, a key with two executions, one that nobody was told of, and one that is gone are found', () => {
  const twice = [write('test-probe-1'), write('test-probe-1')];
  expect(judged(evidenceOf({}, { writes: twice })).doubledCalls).toEqual(['test-probe-1 #1']);
  expect(judged(evidenceOf({}, { ids: ['exe_1', 'exe_2'] })).doubledExecutions).toHaveLength(1);
  expect(judged(evidenceOf(), ['exe_1', 'exe_9']).doubledExecutions).toHaveLength(1);
  expect(judged({ ...evidenceOf(), final: null }).lost).toHaveLength(1);
});
