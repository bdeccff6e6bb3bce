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

test('a preparer that was closed takes nothing', async () => {
  const other = createPreparer({ threads: 1 });
  await other.close();
  await expect(other.prepare({ language: 'typescript', code: '1' }, new AbortController().signal)).rejects.toMatchObject({
    code: 'SHUTTING_DOWN',
  });
});
