import type { Runtime, ToolCallReply } from '@code-executor/contracts';
import { IDENTITY_POSITIONS } from '../position-map.ts';
import { type Program, type ProgramHooks, type ProgramOutcome, type RunProgramOptions, runProgram } from '../run-program.ts';
import { bootPlainSandbox } from './plain-sandbox.ts';

export type PlainRun = Partial<Program> & {
  readonly hooks?: Partial<ProgramHooks>;
  readonly options?: Partial<RunProgramOptions>;
  readonly runnersDir?: string;
};

/** Boots a runtime, runs one program as a runner receives it, and waits until the process is gone. */
export async function runPlainly(runtime: Runtime, code: string, run: PlainRun = {}): Promise<ProgramOutcome> {
  const { hooks, options, runnersDir, ...program } = run;
  const sandbox = await bootPlainSandbox(runtime, runnersDir);
  try {
    return await runProgram(
      sandbox,
      { code, args: {}, files: {}, promisesResult: true, positions: IDENTITY_POSITIONS, timeoutMs: 30_000, ...program },
      { onCall: echo, onDiscover: async (operation, params) => ({ ok: true, value: { operation, params } }), ...hooks },
      { signal: new AbortController().signal, ...options },
    );
  } finally {
    sandbox.kill();
    await sandbox.ended;
  }
}

/** Answers with what was asked; `x.bad` fails. */
export async function echo(call: { readonly tool: string; readonly args: unknown }): Promise<ToolCallReply> {
  if (call.tool === 'x.bad') return { ok: false, error: { code: 'TOOL_FAILED', message: 'no such file', details: { path: '/a' } } };
  return { ok: true, value: { tool: call.tool, args: call.args } };
}
