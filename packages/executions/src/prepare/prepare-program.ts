import type { ExecutionError } from '@code-executor/contracts';
import { IDENTITY_POSITIONS } from '@code-executor/sandbox';
import { onlyFencedBlock, withoutLeadingFence } from './fences.ts';
import { markTypeImports, refuseForNode } from './fit-node.ts';
import { type ProgramFile, parseLoneExpression, parseTypescript } from './parse-typescript.ts';
import { type ShapedProgram, shapeExpression, shapeProgram } from './shape-program.ts';
import { walkSyntax } from './walk-syntax.ts';

export type PreparedProgram = ({ readonly ok: true } & ShapedProgram) | { readonly ok: false; readonly error: ExecutionError };

/** From what an agent sent to what a runner executes. Python is not parsed here: its runner does that with Python's own parser. */
export function prepareProgram(language: string, text: string, keepsNames = false): PreparedProgram {
  const code = withoutLeadingFence(text);
  if (language === 'python') return { ok: true, code, promisesResult: false, positions: IDENTITY_POSITIONS };
  const prepared = prepareTypescript(language, code, keepsNames);
  // Prose is no program, so only a text that is none as it stands may turn out to be prose around one.
  if (prepared !== 'prose' && prepared.ok) return prepared;
  const block = onlyFencedBlock(text);
  const inner = block === null ? prepared : prepareTypescript(language, block, keepsNames);
  return inner === 'prose' ? NO_PROGRAM : inner;
}

const NO_PROGRAM: PreparedProgram = {
  ok: false,
  error: { code: 'SYNTAX_ERROR', message: 'The text is prose around more than one fenced block. Send one program.' },
};

function prepareTypescript(language: string, code: string, keepsNames: boolean): PreparedProgram | 'prose' {
  // A block that is also an object is meant as one, as it is at the prompt of Node.
  const lone = /^\s*(?:\{|(?:async\s+)?function\b)/.test(code) ? parseLoneExpression(code) : null;
  if (lone !== null) return { ok: true, ...shapeExpression(code, lone) };
  const parsed = parseTypescript(code);
  if ('error' in parsed) return { ok: false, error: parsed.error };
  if (holdsFence(parsed.file)) return 'prose';
  if (language !== 'node') return { ok: true, ...shapeProgram(code, parsed.file, undefined, keepsNames) };
  const error = refuseForNode(parsed.file);
  if (error !== null) return { ok: false, error };
  return { ok: true, ...shapeProgram(code, parsed.file, (edit) => markTypeImports(parsed.file, edit)) };
}

/** `Program:` and a fence below it parse as a label and an empty template that is called as a tag, which no program does. */
function holdsFence(file: ProgramFile): boolean {
  if (!file.program.body.some(({ type }) => type === 'LabeledStatement' || type === 'ExpressionStatement')) return false;
  let holds = false;
  walkSyntax(file.program, (node) => {
    const tag = node.tag as { type?: string; expressions?: unknown[] } | undefined;
    if (node.type === 'TaggedTemplateExpression' && tag?.type === 'TemplateLiteral' && tag.expressions?.length === 0) holds = true;
    return !holds;
  });
  return holds;
}
