import type { Principal } from '@code-executor/contracts';
import { isAppError } from '@code-executor/platform';
import type { ToolAdministration, ToolsSummary } from '@code-executor/tools';

/** null: the MCP proxy, which knows the integrations, does not answer. Probes and scrapes have other things to tell all the same. */
export async function summaryOf(
  tools: Pick<ToolAdministration, 'summary'>,
  principal: Principal | null = null,
): Promise<ToolsSummary | null> {
  try {
    return await tools.summary(principal);
  } catch (error) {
    if (isAppError(error, 'TOOLS_UNAVAILABLE')) return null;
    throw error;
  }
}
