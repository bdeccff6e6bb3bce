import type { ExecuteRequest } from '@code-executor/sdk';
import type { Handler, Options } from '../command/command.ts';
import { durationMs } from '../command/duration.ts';
import { jsonObject, textOption } from '../command/option-values.ts';
import { followExecution } from './follow-execution.ts';
import { readBeside, readProgram } from './read-program.ts';

export const runProgram: Handler = async (context, { words: [path = '-'], options }) => {
  const request = requestOf(path, options, context.terminal);
  const client = await context.client();
  const { signal } = context;
  if (options.detach === true) {
    const accepted = await client.submit(request, { signal });
    context.answer(accepted, ({ executionId }) => executionId);
    return 0;
  }
  const { executionId } = await client.submit(request, { signal });
  return await followExecution(context, executionId, { cancelOnInterrupt: true, waitWhilePaused: options['no-wait'] !== true });
};

function requestOf(path: string, options: Options, terminal: Parameters<typeof readProgram>[2]): ExecuteRequest {
  const { code, language } = readProgram(path, textOption(options.language), terminal);
  const timeout = textOption(options.timeout);
  const session = textOption(options.session);
  const args = textOption(options.args);
  const files = readBeside((options.file as readonly string[] | undefined) ?? []);
  return {
    code,
    language,
    ...(timeout === undefined ? {} : { timeoutMs: durationMs(timeout, '--timeout') }),
    ...(args === undefined ? {} : { args: jsonObject(args, '--args') }),
    ...(session === undefined ? {} : { sessionId: session }),
    ...(files === undefined ? {} : { files }),
    ...(options.typecheck === true ? { typecheck: true } : {}),
  };
}
