import type { Principal } from '@code-executor/contracts';
import type { ExecutionRecord } from '@code-executor/executions';
import type { ApprovalRecord, ToolAdministration } from '@code-executor/tools';
import type { ObservedExecutions } from '../../gateway-app.ts';

/** The same executions; those that are paused show what they wait for, and where a person decides on it. */
export function showApprovals(
  executions: ObservedExecutions,
  tools: Pick<ToolAdministration, 'listApprovals'>,
  urlOf: (approvalId: string) => string,
): ObservedExecutions {
  async function shown(principal: Principal, record: ExecutionRecord): Promise<ExecutionRecord> {
    if (record.status !== 'paused') return record;
    const [first] = await pendingApprovals(principal, record.executionId, tools);
    if (first === undefined) return record;
    const { id, tool, arguments: args, expiresAt } = first;
    return { ...record, approval: { id, tool, arguments: args, expiresAt, url: urlOf(id) } };
  }

  return {
    submit: (principal, request, options) => executions.submit(principal, request, options),
    wait: async (principal, executionId, signal) => await shown(principal, await executions.wait(principal, executionId, signal)),
    get: async (principal, executionId) => await shown(principal, await executions.get(principal, executionId)),
    list: (principal, page) => executions.list(principal, page),
    cancel: (principal, executionId) => executions.cancel(principal, executionId),
    events: (principal, executionId, afterId, signal) => executions.events(principal, executionId, afterId, signal),
    artifacts: executions.artifacts,
    sessions: executions.sessions,
    export: (principal, filter, signal) => executions.export(principal, filter, signal),
    purge: (principal, before, signal) => executions.purge(principal, before, signal),
    depth: () => executions.depth(),
    onExecutionEnded: (listener) => executions.onExecutionEnded(listener),
  };
}

/** What an execution waits for, the oldest first. More than so many at once do not come from one execution. */
export async function pendingApprovals(
  principal: Principal,
  executionId: string,
  tools: Pick<ToolAdministration, 'listApprovals'>,
): Promise<ApprovalRecord[]> {
  const { items } = await tools.listApprovals(principal, { status: 'pending', executionId, limit: PENDING_LIMIT });
  return [...items].reverse();
}

const PENDING_LIMIT = 256;
