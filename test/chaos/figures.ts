import { FAULT_KINDS } from './faults.ts';
import type { Verdict } from './judge.ts';
import type { ChaosReport } from './run-chaos.ts';
import type { RefusalsReport } from './run-refusals.ts';

const SHOWN = 10;

/** All that a run has come to, for people. */
export function figuresOf({ verdict, recoveries, refusals, baselineMs, tookMs, slowestMs }: ChaosReport): string {
  const { unknown } = verdict;
  const rows = FAULT_KINDS.flatMap((kind) => {
    const of = recoveries.filter((recovery) => recovery.kind === kind);
    if (of.length === 0) return [];
    const lost = of.flatMap(({ lostEndedMs }) => lostEndedMs);
    return [
      [
        kind,
        String(of.length),
        ...spread(of.map(({ probeMs }) => probeMs)),
        String(Math.round(Math.max(...of.map(({ backMs }) => backMs)))),
        ...spread(of.map(({ delayMs }) => delayMs)),
        String(lost.length),
        ...spread(lost),
      ],
    ];
  });
  const head = [
    'fault',
    'count',
    'recovery p50 ms',
    'max ms',
    'back max ms',
    'delay p50 ms',
    'max ms',
    'lost by it',
    'ended p50 ms',
    'max ms',
  ];
  return [
    table([head, ...rows]),
    '',
    `a program that succeeds while nothing is wrong takes ${Math.round(baselineMs.p50)} ms (p50), ${Math.round(baselineMs.max)} ms (max) under this load`,
    `${verdict.executions} executions, ${verdict.calls} tool calls, ${recoveries.length} faults in ${Math.round(tookMs / 1_000)} s; the slowest took ${slowestMs} ms from its first request`,
    `ends: ${JSON.stringify(verdict.byStatus)} errors: ${JSON.stringify(verdict.byError)}`,
    `what clients were refused with, and tried again: ${JSON.stringify(refusals)}`,
    `effects unknown: ${unknown.count}, of which ${unknown.complete} had made all of their writes`,
    ...listed(verdict),
  ].join('\n');
}

export function refusalsOf({ refusals, verdict }: RefusalsReport): string {
  const rows = refusals.map(({ what, code, saidAfterMs, others, recoveredMs }) => [
    what,
    code,
    saidAfterMs === null ? 'never' : String(Math.round(saidAfterMs)),
    String(Math.round(recoveredMs)),
    others.length === 0 ? '-' : JSON.stringify([...new Set(others)]),
  ]);
  return [
    table([['what refuses', 'said', 'after ms', 'recovered ms', 'other answers'], ...rows]),
    `${verdict.executions} executions: ${JSON.stringify(verdict.byStatus)} errors: ${JSON.stringify(verdict.byError)}`,
    ...refusals.flatMap(({ wrong }) => wrong),
    ...listed(verdict),
  ].join('\n');
}

/** By name; all of them are empty where the promises hold. */
export function failuresOf(verdict: Verdict): [string, readonly string[]][] {
  return [
    ['lost', verdict.lost],
    ['executions run twice', verdict.doubledExecutions],
    ['tool calls dispatched twice', verdict.doubledCalls],
    ['untruthful', verdict.untruthful],
    ['broken live logs', verdict.brokenLogs],
    ['other problems', verdict.otherProblems],
  ];
}

const listed = (verdict: Verdict): string[] =>
  failuresOf(verdict).flatMap(([name, list]) => [`${name}: ${list.length}`, ...list.slice(0, SHOWN).map((line) => `  ${line}`)]);

function spread(values: readonly number[]): [string, string] {
  if (values.length === 0) return ['-', '-'];
  const sorted = values.toSorted((one, other) => one - other);
  return [String(Math.round(sorted[Math.floor(sorted.length / 2)] ?? 0)), String(Math.round(sorted.at(-1) ?? 0))];
}

function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0))).join('  ');
  return rows.map(line).join('\n');
}
