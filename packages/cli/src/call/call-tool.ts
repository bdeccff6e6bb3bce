import { ExecutorPausedError, type InvokeAnswer } from '@code-executor/sdk';
import { type Handler, UsageError } from '../command/command.ts';
import type { Context } from '../command/context.ts';
import { reportFailure } from '../report-failure.ts';
import { followExecution } from '../run/follow-execution.ts';
import { safeText } from '../terminal/safe-text.ts';
import { browse } from './browse.ts';
import { readArguments } from './read-arguments.ts';

export const callTool: Handler = async (context, { words, options, rest }) => {
  const [server, tool] = words;
  if (options.help === true || server === undefined) return await browse(context, words, options);
  if (tool === undefined) throw new UsageError(`<tool> is missing: 'executor call ${server} --help' lists the tools of ${server}.`);
  // Where it stands behind the tool it may be the tool's own, which only its schema tells.
  let spoken = rest.includes('--json') ? jsonContext(context) : context;
  try {
    const client = await context.client();
    const { signal } = context;
    const info = await client.tools.info(server, tool, { signal });
    const { args, own } = readArguments(rest, info.inputSchema, context.terminal);
    if (own.has('help')) return await browse(context, words, options);
    spoken = own.has('json') ? jsonContext(context) : context;
    return await call(spoken, { server, tool, args, waits: own.has('wait') });
  } catch (error) {
    const isOwn = spoken.json && !context.json && !context.signal.aborted && !(error instanceof UsageError);
    if (!isOwn) throw error;
    return await reportFailure(error, spoken);
  }
};

interface Call {
  readonly server: string;
  readonly tool: string;
  readonly args: Record<string, unknown>;
  /** Stays while a person decides. */
  readonly waits: boolean;
}

async function call(context: Context, { server, tool, args, waits }: Call): Promise<number> {
  const { signal } = context;
  try {
    context.answer(await (await context.client()).tools.invoke(server, tool, args, { signal }), textOf);
    return 0;
  } catch (error) {
    if (!(error instanceof ExecutorPausedError && waits)) throw error;
    context.note(`${error.message}\n  decide  executor approvals approve ${error.approval.id}    (or deny)`);
    return await followExecution(context, error.executionId, { cancelOnInterrupt: false, waitWhilePaused: true });
  }
}

function textOf({ result }: InvokeAnswer): string {
  if (result === undefined || result === null) return '';
  return typeof result === 'string' ? safeText(result) : JSON.stringify(result, null, 2);
}

const jsonContext = (context: Context): Context => ({
  ...context,
  json: true,
  answer: (value) => context.terminal.out(`${JSON.stringify(value, null, 2)}\n`),
  note: () => undefined,
});
