/** Entry of a preparing thread: one program at a time, until the thread is ended. */
import { parentPort } from 'node:worker_threads';
import { IDENTITY_POSITIONS } from '@code-executor/sandbox';
import { type PreparedProgram, prepareProgram } from './prepare-program.ts';
import { shapeSkill } from './shape-skill.ts';

export interface PrepareRequest {
  readonly language: string;
  readonly code: string;
  /** Of a session: what the program declares at its top stays. */
  readonly sessionId?: string | undefined;
  /** It is to be saved as a skill: its answer is the text that stands in the skill's file. */
  readonly isSkill?: boolean | undefined;
}

/** Posted once, when the thread can take programs. */
export const READY = 'ready';

parentPort?.on('message', ({ language, code, sessionId, isSkill }: PrepareRequest) => {
  const prepared = isSkill === true ? prepareSkill(code) : prepareProgram(language, code, sessionId !== undefined);
  parentPort?.postMessage(prepared satisfies PreparedProgram);
});

// The first program would pay for the parser's compilation, and its deadline with it.
prepareProgram('typescript', 'const warm: number = await f({ a: [1] });\nfor (const x of warm) if (x) return [x, 1];');
prepareProgram('typescript', "import { a } from './a.ts';\nexport const b = async (c: string) => a(c);\nb('d')");
parentPort?.postMessage(READY);

function prepareSkill(code: string): PreparedProgram {
  const shaped = shapeSkill(code);
  return shaped.ok ? { ...shaped, promisesResult: true, positions: IDENTITY_POSITIONS } : shaped;
}
