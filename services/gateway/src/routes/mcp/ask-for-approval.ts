import type { ExecutionRecord } from '@code-executor/executions';
import { type CallToolResult, type InputRequiredResult, inputRequired } from '@modelcontextprotocol/server';
import type { RouteDeps } from '../../gateway-app.ts';
import type { ToolCallContext } from './call-context.ts';
import { toolResultOf } from './execution-content.ts';
import { inbandForm, inbandInput, inbandQuestionId, mayDecideInband } from './inband-approval.ts';

/** Under this key a client of the 2026 version answers that its human has seen the address. */
export const APPROVAL_INPUT = 'approval';
/** And under this one what its human decided, where the operator lets that come through the client. */
export const INBAND_INPUT = 'decision';

/** A human who is asked by their own client answers within this, or is waited for with resume. */
export const DECISION_MS = 45_000;

/**
 * What a paused execution is answered with. Where the client can show an address to its human, it is asked to; the decision
 * itself is made there and never comes through the client, unless the operator lets it for this key. Everybody gets the
 * address in the result as well. `asked`: the decision is on its way, and worth waiting for.
 */
export async function askForApproval(
  deps: RouteDeps,
  context: ToolCallContext,
  record: ExecutionRecord,
): Promise<CallToolResult | InputRequiredResult | 'asked'> {
  const { approval, executionId } = record;
  if (approval === null) return toolResultOf(record);
  if (mayDecideInband(deps, context)) {
    if (context.ask === null) return inputRequired({ inputRequests: { [INBAND_INPUT]: inbandInput(approval) }, requestState: executionId });
    context.ask({ id: inbandQuestionId(approval.id), method: 'elicitation/create', params: { ...inbandForm(approval) } });
    return 'asked';
  }
  if (!context.elicitation.includes('url')) return toolResultOf(record);
  const message = `A program asks to call ${approval.tool}. Open the page to see its arguments, and approve or deny it there.`;
  if (context.ask !== null) {
    context.ask({
      id: `approval-${approval.id}`,
      method: 'elicitation/create',
      params: { mode: 'url', message, url: approval.url, elicitationId: approval.id },
    });
    return toolResultOf(record);
  }
  // Asked before, in the round that this one answers: it says so again in words, and does not ask without end.
  if (context.answers !== null) return toolResultOf(record);
  return inputRequired({
    inputRequests: { [APPROVAL_INPUT]: inputRequired.elicitUrl({ message, url: approval.url }) },
    requestState: executionId,
  });
}
