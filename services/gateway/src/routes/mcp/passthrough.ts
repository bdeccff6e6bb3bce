import { createHash } from 'node:crypto';
import type { Principal } from '@code-executor/contracts';
import type { ToolInfo } from '@code-executor/tools';
import type { CallToolResult, ListToolsResult, Tool } from '@modelcontextprotocol/server';
import type { RouteDeps } from '../../gateway-app.ts';
import type { ToolCallContext } from './call-context.ts';
import { contentBlocksOf } from './mcp-content.ts';
import { invalidParams } from './tool-errors.ts';

const PAGE = 50;
/** What clients take as a tool's name. */
const NAME_LIMIT = 64;
const NAMES_PAGE = 200;

/** `server__tool`; where that is too long or has other signs than clients take, cut and told apart by a digest. */
export function passedName(server: string, tool: string): string {
  const plain = `${server}__${tool}`;
  const clean = plain.replaceAll(/[^\w-]/g, '_');
  if (clean === plain && plain.length <= NAME_LIMIT) return plain;
  const digest = createHash('sha256').update(`${server}.${tool}`).digest('hex').slice(0, 8);
  return `${clean.slice(0, NAME_LIMIT - digest.length - 1)}_${digest}`;
}

/** The real tools with their own schemas, a page at a time. */
export async function listPassedTools({ tools }: RouteDeps, principal: Principal, cursor: string | undefined): Promise<ListToolsResult> {
  const offset = cursor === undefined ? 0 : Number(/^o(\d{1,7})$/.exec(cursor)?.[1] ?? Number.NaN);
  if (Number.isNaN(offset)) throw invalidParams('The cursor is not one of ours; send nextCursor of the page before.');
  const { items, nextOffset } = await tools.search(principal, { q: '', detail: 'full', limit: PAGE, offset });
  const listed = (items as readonly ToolInfo[]).map(passedTool);
  return { tools: listed, ...(nextOffset === null ? {} : { nextCursor: `o${nextOffset}` }) };
}

function passedTool({ server, name, title, description, inputSchema, outputSchema, annotations }: ToolInfo): Tool {
  const input = typeof inputSchema === 'object' ? inputSchema : {};
  return {
    name: passedName(server, name),
    ...(title === null ? {} : { title }),
    description,
    inputSchema: { ...input, type: 'object' },
    ...(typeof outputSchema === 'object' && outputSchema !== null ? { outputSchema: { ...outputSchema, type: 'object' } } : {}),
    annotations: { ...annotations },
  } as Tool;
}

/** One call under policy and record like any other. */
export async function callPassedTool(
  deps: RouteDeps,
  { caller, cancelled }: ToolCallContext,
  name: string,
  given: unknown,
): Promise<CallToolResult> {
  const { principal, over } = caller;
  const address = await addressOf(deps, principal, name);
  const info = await deps.tools.toolInfo(principal, address.server, address.name);
  const reply = await deps.tools.invoke(principal, address.server, address.name, given ?? {}, AbortSignal.any([cancelled, over]));
  if (!reply.ok) {
    const { code, message, details } = reply.error;
    const more = details === undefined ? '' : `\n${JSON.stringify(details).slice(0, 4_000)}`;
    return { content: [{ type: 'text', text: `${code}: ${message}${more}` }], isError: true };
  }
  const blocks = contentBlocksOf(reply.value);
  if (blocks !== null) return { content: blocks };
  const isStructured = info.outputSchema !== null && typeof reply.value === 'object' && reply.value !== null && !Array.isArray(reply.value);
  const text = typeof reply.value === 'string' ? reply.value : JSON.stringify(reply.value);
  return {
    content: [{ type: 'text', text }],
    ...(isStructured ? { structuredContent: reply.value as Record<string, unknown> } : {}),
  };
}

async function addressOf(
  { tools }: RouteDeps,
  principal: Principal,
  name: string,
): Promise<{ readonly server: string; readonly name: string }> {
  let cursor: string | undefined;
  do {
    const page = await tools.listTools(principal, { limit: NAMES_PAGE, cursor });
    const found = page.items.find((item) => passedName(item.server, item.name) === name);
    if (found !== undefined) return found;
    cursor = page.nextCursor ?? undefined;
  } while (cursor !== undefined);
  throw invalidParams(`There is no tool ${JSON.stringify(name.slice(0, 100))}; tools/list has all.`);
}
