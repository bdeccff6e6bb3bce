import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';

const SCRIPT = join(import.meta.dirname, '../../deploy/count-tests.ts');
const directory = mkdtempSync(join(tmpdir(), 'count-tests-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

type Statuses = Record<string, string>;

function report(name: string, files: Record<string, Statuses>, success = false): string {
  const testResults = Object.entries(files).map(([file, tests]) => ({
    name: join(directory, file),
    status: Object.keys(tests).length > 0 && Object.values(tests).every((status) => status !== 'failed') ? 'passed' : 'failed',
    assertionResults: Object.entries(tests).map(([fullName, status]) => ({ fullName, status })),
  }));
  const file = join(directory, name);
  writeFileSync(file, JSON.stringify({ success, testResults }));
  return file;
}

const run = (...parameters: string[]): string[] =>
  execFileSync(process.execPath, [SCRIPT, ...parameters], { encoding: 'utf8' })
    .split('\n')
    .filter(Boolean);

test('what failed, what was skipped and what could not be loaded is named and counted', () => {
  const file = report('first.json', { 'a.test.ts': { one: 'passed', two: 'failed', three: 'skipped' }, 'b.test.ts': {} });
  expect(run(directory, file)).toEqual(['✗ a.test.ts > two', '- skipped in a.test.ts: three', '✗ b.test.ts > the file itself', '1 2 1']);
});

test('the files of a few failures are to be run again; those of many are not', () => {
  expect(run('--again', directory, report('few.json', { 'a.test.ts': { one: 'failed' }, 'b.test.ts': { two: 'passed' } }))).toEqual([
    join(directory, 'a.test.ts'),
  ]);
  const many = { one: 'failed', two: 'failed', three: 'failed', four: 'failed' };
  expect(run('--again', directory, report('many.json', { 'a.test.ts': many }))).toEqual([]);
  expect(run('--again', directory, report('none.json', { 'a.test.ts': { one: 'passed' } }, true))).toEqual([]);
});

test('what passes when run again counts as passed and is named as unsteady; what fails again stays failed', () => {
  const first = report('first.json', { 'a.test.ts': { one: 'passed', two: 'failed' }, 'b.test.ts': { three: 'failed' }, 'c.test.ts': {} });
  const second = report('second.json', {
    'a.test.ts': { one: 'passed', two: 'passed' },
    'b.test.ts': { three: 'failed' },
    'c.test.ts': { four: 'passed' },
  });
  expect(run(directory, first, second)).toEqual([
    '~ unsteady: a.test.ts > two failed at first and passed when run again',
    '✗ b.test.ts > three',
    '~ unsteady: c.test.ts > the file itself failed at first and passed when run again',
    '3 1 0',
  ]);
});

test('a second run that was cut off, or that ran fewer tests, mends nothing', () => {
  const first = report('first.json', { 'a.test.ts': { one: 'passed', two: 'failed' } });
  expect(run(directory, first, report('second.json', { 'a.test.ts': { two: 'passed' } })).at(-1)).toBe('1 1 0');
  expect(run(directory, first, join(directory, 'nowhere.json')).at(-1)).toBe('1 1 0');
});

test('errors outside of every test, and a report that is not there, are a failure', () => {
  expect(run(directory, report('outside.json', { 'a.test.ts': { one: 'passed' } })).at(-1)).toBe('1 1 0');
  expect(run(directory, join(directory, 'nowhere.json'))).toEqual(['✗ vitest did not run to its end', '0 1 0']);
  const first = report('first.json', { 'a.test.ts': { one: 'failed' } });
  expect(run(directory, first, report('second.json', { 'a.test.ts': { one: 'passed' } }, false)).at(-1)).toBe('1 1 0');
  expect(run(directory, first, report('second.json', { 'a.test.ts': { one: 'passed' } }, true)).at(-1)).toBe('1 0 0');
});
