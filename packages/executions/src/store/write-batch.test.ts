import { expect, test } from 'vitest';
import { createWriteBatch } from './write-batch.ts';

function recordingBatch(options: { maxItems?: number; maxBytes?: number } = {}) {
  const statements: number[][] = [];
  const batch = createWriteBatch<number, string>({
    async write(items) {
      statements.push([...items]);
      await new Promise((resolve) => setTimeout(resolve, 1));
      if (items.includes(13)) throw new Error('13 is refused');
      return items.map((item) => `wrote ${item}`);
    },
    weigh: (item) => item,
    ...options,
  });
  return { batch, statements };
}

test('what arrives together is written by one statement, each told its own result', async () => {
  const { batch, statements } = recordingBatch();
  expect(await Promise.all([1, 2, 3].map((item) => batch.add(item)))).toEqual(['wrote 1', 'wrote 2', 'wrote 3']);
  expect(statements).toEqual([[1, 2, 3]]);
});

test('what arrives while a statement is under way waits for it and goes together', async () => {
  const { batch, statements } = recordingBatch();
  const first = batch.add(1);
  await new Promise((resolve) => setImmediate(resolve));
  await Promise.all([first, batch.add(2), batch.add(3)]);
  expect(statements).toEqual([[1], [2, 3]]);
});

test('a row that is refused fails alone', async () => {
  const { batch } = recordingBatch();
  const results = await Promise.allSettled([12, 13, 14].map((item) => batch.add(item)));
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
});

test('a statement stays within its number of rows and bytes, however many wait', async () => {
  const { batch, statements } = recordingBatch({ maxItems: 4, maxBytes: 10 });
  await Promise.all([1, 1, 1, 1, 1, 9, 50, 2, 3].map((item) => batch.add(item)));
  expect(statements).toEqual([[1, 1, 1, 1], [1, 9], [50], [2, 3]]);
});
