import { type Handler, UsageError } from '../command/command.ts';
import { followExecution } from '../run/follow-execution.ts';
import { verdictOf } from './approvals.ts';

export const resumeExecution: Handler = async (context, { words: [id = ''], options }) => {
  if (options.approve === true && options.deny === true) throw new UsageError('--approve and --deny exclude each other.');
  const client = await context.client();
  const execution = await client.executions.get(id, { signal: context.signal });
  if (options.approve === true || options.deny === true) {
    const decision = options.approve === true ? 'approve' : 'deny';
    await client.executions.resume(execution.executionId, { decision, ...verdictOf(options), wait: false }, { signal: context.signal });
  }
  return await followExecution(context, id, { cancelOnInterrupt: false, waitWhilePaused: true });
};
