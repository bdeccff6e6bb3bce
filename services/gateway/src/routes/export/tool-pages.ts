import type { Principal } from '@code-executor/contracts';
import { isAppError } from '@code-executor/platform';
import type { ToolAdministration, ToolInfo } from '@code-executor/tools';

/** Definitions in memory, and questions to the MCP proxy under way, at once. */
const BATCH_SIZE = 8;
const PAGE_SIZE = 500;

/** The whole catalog in small batches. (Not by search: that counts the tokens of everything it answers.) */
export async function* toolPages(
  tools: Pick<ToolAdministration, 'listTools' | 'toolInfo'>,
  principal: Principal,
  server: string | undefined,
  signal: AbortSignal,
): AsyncGenerator<readonly ToolInfo[]> {
  const seen = new Set<string>();
  for (let cursor: string | undefined, isLast = false; !isLast; ) {
    const page = await tools.listTools(principal, { server, limit: PAGE_SIZE, cursor });
    // A catalog that changes between two pages may show a tool twice.
    const fresh = page.items.filter((tool) => !seen.has(`${tool.server}.${tool.name}`));
    for (const tool of fresh) seen.add(`${tool.server}.${tool.name}`);
    for (let at = 0; at < fresh.length; at += BATCH_SIZE) {
      signal.throwIfAborted();
      const batch = fresh.slice(at, at + BATCH_SIZE).map((tool) => infoOf(tools, principal, tool.server, tool.name));
      yield (await Promise.all(batch)).filter((info) => info !== null);
      await turn();
    }
    cursor = page.nextCursor ?? undefined;
    isLast = page.nextCursor === null;
  }
}

/** null: it went away since it was listed. */
async function infoOf(
  tools: Pick<ToolAdministration, 'toolInfo'>,
  principal: Principal,
  server: string,
  name: string,
): Promise<ToolInfo | null> {
  try {
    return await tools.toolInfo(principal, server, name);
  } catch (error) {
    if (['SERVER_NOT_FOUND', 'TOOL_NOT_FOUND', 'TOOL_BLOCKED'].some((code) => isAppError(error) && error.code === code)) return null;
    throw error;
  }
}

/** What is answered out of memory would keep the event loop for the whole catalog. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
