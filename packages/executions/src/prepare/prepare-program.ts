import type { ExecutionError } from '@code-executor/contracts';
import { IDENTITY_POSITIONS } from '@code-executor/sandbox';
import { onlyFencedBlock, withoutLeadingFence } from './fences.ts';
import { parseTypescript } from './parse-typescript.ts';
import { type ShapedProgram, shapeProgram } from './shape-program.ts';

export type PreparedProgram = ({ readonly ok: true } & ShapedProgram) | { readonly ok: false; readonly error: ExecutionError };

/** From what an agent sent to what a runner executes. Python is not parsed here: its runner does that with Python's own parser. */
export function prepareProgram(language: string, text: string): PreparedProgram {
  const code = withoutLeadingFence(text);
  if (language === 'python') return { ok: true, code, promisesResult: false, positions: IDENTITY_POSITIONS };
  const parsed = parseTypescript(code);
  if ('file' in parsed) return { ok: true, ...shapeProgram(code, parsed.file) };
  // Prose is no program, so only a text that does not parse may turn out to be prose around one.
  const block = onlyFencedBlock(text);
  const inner = block === null ? null : parseTypescript(block);
  if (block !== null && inner !== null && 'file' in inner) return { ok: true, ...shapeProgram(block, inner.file) };
  return { ok: false, error: inner !== null && 'error' in inner ? inner.error : parsed.error };
}
