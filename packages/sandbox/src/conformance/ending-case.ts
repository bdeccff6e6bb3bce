import { expect, test } from 'vitest';
import type { Arena, Bout, BoutOptions } from './arena.ts';

/** A hostile program and the one way in which it truthfully ends. */
export interface EndingCase extends BoutOptions {
  readonly language: 'typescript' | 'python';
  readonly code: string;
  readonly status: Bout['status'];
  /** Null: no error. */
  readonly error: string | null;
  /** Where it takes every process that it may have, the runtime itself may need one more thread, and then aborts. */
  readonly mayAbort?: boolean;
  readonly message?: RegExp;
  /** Compared where it is given. */
  readonly result?: unknown;
  readonly output?: RegExp;
  readonly violations?: number;
  readonly calls?: number;
  /** Bytes at which it ends; default: the memory limit and 40 % on top. */
  readonly mostMb?: number;
}

/** Each case in a sandbox of its own, beside a neighbour that has to answer meanwhile; afterwards nothing of it is left. */
export function endingCases(arena: () => Arena, cases: Readonly<Record<string, EndingCase>>): void {
  test.each(Object.entries(cases))('%s', async (_, expected) => {
    const [bout, neighbourMs] = await Promise.all([arena()[expected.language](expected.code, expected), arena().besideMs()]);
    const aborted = expected.mayAbort === true && /SIGABRT/.test(bout.error?.message ?? '');
    expect({ status: bout.status, error: bout.error?.code ?? null }, bout.error?.message ?? JSON.stringify(bout.result)).toEqual({
      status: aborted ? 'failed' : expected.status,
      error: aborted ? 'SANDBOX_CRASHED' : expected.error,
    });
    if (expected.message !== undefined) expect(bout.error?.message).toMatch(expected.message);
    if ('result' in expected) expect(bout.result).toEqual(expected.result);
    if (expected.output !== undefined) expect(bout.output).toMatch(expected.output);
    if (expected.violations !== undefined) expect(bout.violations).toBe(expected.violations);
    if (expected.calls !== undefined) expect(bout.calls).toHaveLength(expected.calls);
    expect(bout.peakMb).toBeLessThan(expected.mostMb ?? MOST_MB);
    expectGone(bout);
    expect(neighbourMs).toBeLessThan(NEIGHBOUR_MS);
  });
}

/** Of 256 MB: what a tree may gain between two looks of the watch and until it is killed. */
export const MOST_MB = 256 * 2;
/** Generous, for machines that do other things as well: alone it takes 30 ms, its boot included. */
const NEIGHBOUR_MS = 10_000;

export function expectGone(bout: Bout): void {
  expect(bout.processesLeft).toBe(0);
  // On a machine that is busy elsewhere the dead are reaped when their turn comes.
  expect(bout.recoveryMs).toBeLessThan(10_000);
}

type Given = Omit<EndingCase, 'language' | 'code' | 'status' | 'error'>;

export const succeeds = (language: EndingCase['language'], code: string, result: unknown, more: Given = {}): EndingCase => ({
  language,
  code,
  status: 'succeeded',
  error: null,
  result,
  ...more,
});

export const fails = (language: EndingCase['language'], code: string, error: string, more: Given = {}): EndingCase => ({
  language,
  code,
  status: 'failed',
  error,
  ...more,
});

export const timesOut = (language: EndingCase['language'], code: string, more: Given = {}): EndingCase => ({
  language,
  code,
  status: 'timed_out',
  error: 'TIMEOUT',
  timeoutMs: 700,
  ...more,
});
