import { afterAll, expect, test } from 'vitest';
import { createPreparer } from './create-preparer.ts';

const preparer = createPreparer({ threads: 1 });
afterAll(() => preparer.close());
const prepare = (code: string) => preparer.prepare({ language: 'typescript', code }, new AbortController().signal);

test.each([
  ['nests too deep', '['.repeat(100_000)],
  ['nests too deep and closes', `${'('.repeat(60_000)}1${')'.repeat(60_000)}`],
  ['makes the parser try again and again', `${'a?(b:c=>'.repeat(30)}1`],
])('a program that %s ends with SYNTAX_ERROR, and the next is prepared', async (_, code) => {
  const startedMs = performance.now();
  expect(await prepare(code)).toMatchObject({ ok: false, error: { code: 'SYNTAX_ERROR' } });
  expect(performance.now() - startedMs).toBeLessThan(5_000);
  expect(await prepare('42')).toMatchObject({ ok: true, promisesResult: true });
});

test('mistakes are reported at the user’s own position', async () => {
  expect(await prepare('const a = 1;\nconst b = ;')).toMatchObject({ ok: false, error: { line: 2, column: 11 } });
  expect(await prepare('Here:\n\n```ts\nconst b = ;\n```\n')).toMatchObject({ ok: false, error: { line: 4, column: 11 } });
});

test('a machine that stands still for a while is no fault of the program', async () => {
  expect(await prepare('1')).toMatchObject({ ok: true });
  // Next come the timers, and only then what threads have sent.
  await new Promise((resolve) => setImmediate(resolve));
  const prepared = prepare('const a = [1, 2, 3].map((n) => n * 2);\n'.repeat(500).replaceAll('const', 'var'));
  for (let turn = 0; turn < 20; turn += 1) await null;
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2_500);
  expect(await prepared).toMatchObject({ ok: true });
});

test('a program that was prepared before waits for nobody, and one of another language or in a session is another program', async () => {
  const code = 'const a: number = 1;\na';
  const before = await prepare(code);
  const hanging = prepare(`${'a?(b:c=>'.repeat(30)}1`);
  const again = prepare(code);
  expect(await Promise.race([hanging.then(() => 'another'), again.then(() => 'this one')])).toBe('this one');
  expect(await again).toEqual(before);
  await hanging;
  const { signal } = new AbortController();
  const inSession = await preparer.prepare({ language: 'typescript', code, sessionId: 'ses_1' }, signal);
  const forNode = await preparer.prepare({ language: 'node', code }, signal);
  expect(inSession).toMatchObject({ ok: true, code: expect.stringContaining('keep(') });
  expect(forNode).toMatchObject({ ok: true });
  expect(before).not.toEqual(inSession);
});

test('a preparer that was closed takes nothing', async () => {
  const other = createPreparer({ threads: 1 });
  await other.close();
  await expect(other.prepare({ language: 'typescript', code: '1' }, new AbortController().signal)).rejects.toMatchObject({
    code: 'SHUTTING_DOWN',
  });
});

test('who waits for a thread may stop waiting, and keeps none', async () => {
  const stop = new AbortController();
  const first = prepare('first()');
  const second = preparer.prepare({ language: 'typescript', code: 'second()' }, stop.signal);
  stop.abort(new Error('nobody waits any more'));
  await expect(second).rejects.toThrow('nobody waits any more');
  expect(await first).toMatchObject({ ok: true });
  expect(await prepare('third()')).toMatchObject({ ok: true });
});

test('closing ends the wait for a thread', async () => {
  const other = createPreparer({ threads: 1 });
  const { signal } = new AbortController();
  const first = other.prepare({ language: 'typescript', code: '1' }, signal);
  const second = other.prepare({ language: 'typescript', code: '2' }, signal);
  const both = Promise.allSettled([first, second]);
  await other.close();
  expect(await both).toMatchObject([{ status: 'rejected' }, { status: 'rejected', reason: { code: 'SHUTTING_DOWN' } }]);
});
