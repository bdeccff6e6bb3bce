import { ExecutorError } from '@code-executor/sdk';
import type { Context } from './command/context.ts';
import { EXIT, exitCodeOf } from './exit-codes.ts';
import { safeText } from './terminal/safe-text.ts';

/** Says what went wrong and what to do next; answers the exit code. */
export async function reportFailure(error: unknown, context: Context): Promise<number> {
  const { terminal, json } = context;
  const told = error instanceof ExecutorError ? error : null;
  const message = told?.message ?? (error instanceof Error ? error.message : String(error));
  const hint = told === null ? '' : await hintFor(told, context);
  if (json) {
    const { code = 'CLI_ERROR', details = null, requestId = null } = told ?? {};
    terminal.err(`${JSON.stringify({ error: { code, message, hint: hint === '' ? null : hint, details, requestId } })}\n`);
  } else {
    const id = told?.requestId == null ? '' : terminal.paint('dim', ` (${told.requestId})`, 'err');
    const code = told === null ? '' : `${told.code}: `;
    terminal.err(`${terminal.paint('red', 'error:', 'err')} ${code}${safeText(message)}${id}\n${hint === '' ? '' : `${hint}\n`}`);
  }
  return told === null ? EXIT.failed : exitCodeOf(told.code);
}

async function hintFor({ code, details }: ExecutorError, context: Context): Promise<string> {
  const { url, keySource } = await context.server();
  if (code === 'NETWORK_ERROR')
    return `Does the service run at ${url}? 'executor up' starts one here, 'executor server add' names another.`;
  if (code === 'UNAUTHENTICATED')
    return `${keySource === null ? 'No key was found' : `The key came from ${keySource}`}: 'executor login' stores one, EXECUTOR_KEY gives one.`;
  if (code === 'EXECUTION_PAUSED') {
    const { id = 'apr_…' } = (details as { approval?: { id?: string } } | null)?.approval ?? {};
    return `'executor approvals approve ${id}' decides (or deny); 'executor approvals list' shows all that wait.`;
  }
  return '';
}
