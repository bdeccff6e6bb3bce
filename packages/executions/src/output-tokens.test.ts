import { countTokens } from 'gpt-tokenizer/encoding/o200k_base';
import { expect, test } from 'vitest';
import { countOutputTokens } from './output-tokens.ts';

const PROSE = 'The quick brown fox (all 7 of it) jumps over\n\tthe lazy dog; naïve café, 東京, 😀.\n\n';

test('the count is the real one, for text that is counted in slices too', async () => {
  for (const text of ['', '4\n', PROSE, PROSE.repeat(200), JSON.stringify({ a: [1, 2, 3], b: PROSE }).repeat(100)]) {
    expect(await countOutputTokens(text)).toBe(countTokens(text));
  }
});

test('special tokens in the output are text', async () => {
  expect(await countOutputTokens('<|endoftext|>')).toBeGreaterThan(1);
});

test.each(['a', ' ', '\n', '!', '\u0301', '的'])('100 KB of %j is counted within its time, in small steps', async (unit) => {
  let longestMs = 0;
  let last = performance.now();
  const timer = setInterval(() => {
    longestMs = Math.max(longestMs, performance.now() - last);
    last = performance.now();
  }, 1);
  const startedAt = performance.now();
  const tokens = await countOutputTokens(unit.repeat(100 * 1024));
  clearInterval(timer);
  expect(tokens).toBeGreaterThan(0);
  expect(performance.now() - startedAt).toBeLessThan(1_000);
  expect(longestMs).toBeLessThan(50);
});
