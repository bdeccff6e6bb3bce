import { countTokens } from 'gpt-tokenizer/encoding/o200k_base';

/** What is counted in one turn of the event loop: about half a millisecond of prose. */
const SLICE_LENGTH = 4 * 1024;
/**
 * A run without a word's end is one piece to the tokenizer, whose time grows with the square of its length: 100 KB of
 * one letter take seconds. Longer runs are counted in parts, at most one token too many for each.
 */
const RUN_LENGTH = 64;
const LONG_RUN = new RegExp(`[\\p{L}\\p{M}]{${RUN_LENGTH + 1},}|\\s{${RUN_LENGTH + 1},}|[^\\s\\p{L}\\p{N}]{${RUN_LENGTH + 1},}`, 'u');

/** Text is what a program printed: `<|endoftext|>` in it is not a command. */
const AS_TEXT = { disallowedSpecial: new Set<string>() };

/** o200k tokens of a program's output. Long output is counted in slices, so that nobody else waits for it. */
export async function countOutputTokens(output: string): Promise<number> {
  let tokens = 0;
  for (let start = 0; start < output.length; ) {
    const end = sliceEnd(output, start);
    tokens += countSlice(output.slice(start, end));
    start = end;
    if (start < output.length) await new Promise<void>((resolve) => setImmediate(resolve));
  }
  return tokens;
}

/** Between a word and the space before the next one: no token reaches across. */
function sliceEnd(output: string, start: number): number {
  const end = start + SLICE_LENGTH;
  if (end >= output.length) return output.length;
  for (let index = end; index > start + SLICE_LENGTH / 2; index -= 1) {
    if (output[index] === ' ' && !/\s/u.test(output[index - 1] ?? '') && !/\s/u.test(output[index + 1] ?? '')) return index;
  }
  return end;
}

function countSlice(text: string): number {
  if (!LONG_RUN.test(text)) return countTokens(text, AS_TEXT);
  let tokens = 0;
  for (let start = 0; start < text.length; start += RUN_LENGTH) tokens += countTokens(text.slice(start, start + RUN_LENGTH), AS_TEXT);
  return tokens;
}
