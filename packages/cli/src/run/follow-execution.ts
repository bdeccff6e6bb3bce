import type { ExecutorClient, PendingApproval, RecordedExecution } from '@code-executor/sdk';
import type { Context } from '../command/context.ts';
import { EXIT } from '../exit-codes.ts';
import { oneLine, safeText } from '../terminal/safe-text.ts';
import { exitCodeOfExecution } from './exit-code-of-execution.ts';

interface FollowOptions {
  readonly cancelOnInterrupt: boolean;
  /** false: ends with code 5 where a human has to decide. */
  readonly waitWhilePaused: boolean;
}

/** Shows what an execution prints until it ends, then its result; answers the exit code. */
export async function followExecution(context: Context, executionId: string, options: FollowOptions): Promise<number> {
  const client = await context.client();
  try {
    const pausedAt = await show(context, client, executionId, options);
    const execution = await client.executions.get(executionId);
    report(context, execution, pausedAt);
    return exitCodeOfExecution(execution);
  } catch (error) {
    if (!context.signal.aborted) throw error;
    return await interrupted(context, client, executionId, options);
  }
}

/** Resolves with the approval at which it gave up waiting. */
async function show(
  context: Context,
  client: ExecutorClient,
  executionId: string,
  options: FollowOptions,
): Promise<PendingApproval | null> {
  const { json, terminal, signal } = context;
  for await (const event of client.executions.events(executionId, { signal })) {
    // Told apart by what is shown, because the service may have events that this CLI does not know.
    if (event.type === 'output' && !json) terminal.err(safeText(event.data.text));
    if (event.type === 'status' && event.data.status === 'paused') {
      const { approval } = await client.executions.get(executionId, { signal });
      if (approval === null) continue;
      if (!options.waitWhilePaused) return approval;
      context.note(askFor(context, executionId, approval));
    }
  }
  return null;
}

function askFor({ terminal }: Context, executionId: string, approval: PendingApproval): string {
  return [
    `${terminal.paint('yellow', 'paused:', 'err')} ${approval.tool} waits for a human's decision until ${approval.expiresAt}`,
    `  arguments  ${oneLine(JSON.stringify(approval.arguments) ?? '', 400)}`,
    `  decide     executor approvals approve ${approval.id}    (or deny; or at ${approval.url})`,
    `  execution  ${executionId}`,
  ].join('\n');
}

function report(context: Context, execution: RecordedExecution, pausedAt: PendingApproval | null): void {
  const { terminal } = context;
  if (execution.status === 'paused' && pausedAt !== null) context.note(askFor(context, execution.executionId, pausedAt));
  if (execution.error !== null) context.note(failureOf(execution, context));
  if (execution.truncated) context.note(terminal.paint('dim', `${execution.droppedBytes} bytes of its output were not kept.`, 'err'));
  context.answer(execution, ({ result }) => textOf(result));
}

function failureOf({ error, effects, executionId }: RecordedExecution, { terminal }: Context): string {
  if (error === null) return '';
  const place = error.line === undefined ? '' : ` (line ${error.line}${error.column === undefined ? '' : `, column ${error.column}`})`;
  const again = {
    none: 'no tool that changes anything was called',
    not_started: 'nothing ran',
    some: 'tools were called that may have changed something',
    unknown: 'whether a tool call was carried out is not known',
  }[effects];
  return `${terminal.paint('red', 'error:', 'err')} ${error.code}: ${safeText(error.message)}${place}\n${terminal.paint('dim', `${executionId} · ${again}`, 'err')}`;
}

/** Text as it is, everything else as JSON; nothing where there is no result. */
function textOf(result: unknown): string {
  if (result === null || result === undefined) return '';
  return typeof result === 'string' ? safeText(result) : JSON.stringify(result, null, 2);
}

async function interrupted(
  context: Context,
  client: ExecutorClient,
  executionId: string,
  { cancelOnInterrupt }: FollowOptions,
): Promise<number> {
  if (cancelOnInterrupt) {
    await client.executions.cancel(executionId, { timeoutMs: 5_000 });
    context.note(`\nCancelled ${executionId}.`);
  } else {
    context.note(`\n${executionId} goes on; 'executor executions events ${executionId}' follows it.`);
  }
  return EXIT.interrupted;
}
