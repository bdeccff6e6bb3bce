import { createHash } from 'node:crypto';
import type { McpAnswer } from '@code-executor/contracts';
import type { ExecutionRecord } from '@code-executor/executions';
import type { ToolInfo } from '@code-executor/tools';
import {
  type CallToolResult,
  type InputRequiredResult,
  isInputRequiredResult,
  type ListToolsResult,
  type Tool,
} from '@modelcontextprotocol/server';
import type { RouteDeps } from '../../gateway-app.ts';
import { isSkill } from '../skills/skill-program.ts';
import { endOf, programOf } from '../tools/invoke-gated.ts';
import { askForApproval, DECISION_MS } from './ask-for-approval.ts';
import type { McpCaller, ToolCallContext } from './call-context.ts';
import { toolResultOf } from './execution-content.ts';
import { blockOf, contentBlocksOf, isRecord } from './mcp-content.ts';
import { observeExecution } from './observe-execution.ts';
import { takeRound } from './resume-tool.ts';
import { CODE_TOOLS } from './tool-definitions.ts';
import { invalidParams } from './tool-errors.ts';

const PAGE = 50;
/** What clients take as a tool's name. */
const NAME_LIMIT = 64;
const NAMES_PAGE = 200;
type Answer = CallToolResult | InputRequiredResult;

const RESUME = CODE_TOOLS.filter(({ name }) => name === 'resume');

/** `server__tool`; where that is too long or has other signs than clients take, cut and told apart by a digest. */
export function passedName(server: string, tool: string): string {
  return fitName(`${server}__${tool}`, `${server}.${tool}`);
}

function fitName(plain: string, address: string): string {
  const clean = plain.replaceAll(/[^\w-]/g, '_');
  if (clean === plain && plain.length <= NAME_LIMIT) return plain;
  const digest = createHash('sha256').update(address).digest('hex').slice(0, 8);
  return `${clean.slice(0, NAME_LIMIT - digest.length - 1)}_${digest}`;
}

/** The name under which a caller sees a tool: that of one server alone needs no prefix. */
const nameFor = ({ server }: McpCaller, tool: { readonly server: string; readonly name: string }): string =>
  server === null ? passedName(tool.server, tool.name) : fitName(tool.name, `${tool.server}.${tool.name}`);

/** The real tools with their own schemas, a page at a time; and the one that what waits for a human is resumed with. */
export async function listPassedTools({ tools }: RouteDeps, caller: McpCaller, cursor: string | undefined): Promise<ListToolsResult> {
  const offset = cursor === undefined ? 0 : Number(/^o(\d{1,7})$/.exec(cursor)?.[1] ?? Number.NaN);
  if (Number.isNaN(offset)) throw invalidParams('The cursor is not one of ours; send nextCursor of the page before.');
  const within = caller.server === null ? {} : { server: caller.server };
  const { items, nextOffset } = await tools.search(caller.principal, { q: '', detail: 'full', limit: PAGE, offset, ...within });
  const listed = (items as readonly ToolInfo[]).map((info) => passedTool(caller, info));
  return nextOffset === null ? { tools: [...listed, ...RESUME] } : { tools: listed, nextCursor: `o${nextOffset}` };
}

function passedTool(caller: McpCaller, info: ToolInfo): Tool {
  const { title, description, inputSchema, outputSchema, annotations } = info;
  const input = typeof inputSchema === 'object' ? inputSchema : {};
  return {
    name: nameFor(caller, info),
    ...(title === null ? {} : { title }),
    description,
    inputSchema: { ...input, type: 'object' },
    ...(typeof outputSchema === 'object' && outputSchema !== null ? { outputSchema: { ...outputSchema, type: 'object' } } : {}),
    annotations: { ...annotations },
  } as Tool;
}

/** One call under policy and record like any other; one that a human has to decide on becomes an execution, as over HTTP. */
export async function callPassedTool(deps: RouteDeps, context: ToolCallContext, name: string, given: unknown): Promise<Answer> {
  const { caller, cancelled } = context;
  const { principal, over, httpRequestId, traceparent } = caller;
  const tool = await addressOf(deps, caller, name);
  const hasOutputSchema = (await deps.tools.toolInfo(principal, tool.server, tool.name)).outputSchema !== null;
  if (context.answers !== null && context.requestState !== null) {
    const { executionId, waitMs } = await takeRound(deps, context);
    const { approval } = await deps.executions.get(principal, executionId);
    return await gatedCall(deps, context, { executionId, waitsOut: approval?.id ?? null, waitMs }, hasOutputSchema);
  }
  const args = given ?? {};
  if (!isSkill(tool.server)) {
    const signal = AbortSignal.any([cancelled, over]);
    const reply = await deps.tools.invoke(principal, tool.server, tool.name, args, signal, { wholeAnswer: true });
    if (reply.answer !== undefined) return passedAnswer(reply.answer, !reply.ok);
    if (reply.ok) return passedResult(reply.value, hasOutputSchema);
    if (reply.error.code !== 'TOOL_NEEDS_APPROVAL') return failedResult(reply.error);
  }
  const program = await programOf(principal, { tool: `${tool.server}.${tool.name}`, args }, deps.tools);
  const { executionId } = await deps.executions.submit(principal, program, { requestId: httpRequestId, traceparent });
  return await gatedCall(deps, context, { executionId, waitsOut: null, waitMs: null }, hasOutputSchema);
}

interface Gated {
  readonly executionId: string;
  /** The approval that is known to be asked for; null: what it waits for is to be found out. */
  readonly waitsOut: string | null;
  /** null: for as long as it takes. */
  readonly waitMs: number | null;
}

async function gatedCall(
  deps: RouteDeps,
  context: ToolCallContext,
  { executionId, waitsOut, waitMs }: Gated,
  hasOutputSchema: boolean,
): Promise<Answer> {
  const { principal, over } = context.caller;
  const timeout = waitMs === null ? null : AbortSignal.timeout(waitMs);
  const signal = AbortSignal.any([context.cancelled, over, ...(timeout === null ? [] : [timeout])]);
  let record: ExecutionRecord;
  try {
    record = await observeExecution(deps, context, executionId, { afterEvent: 0, waitsOut }, signal);
  } catch (error) {
    if (timeout?.aborted !== true) throw error;
    return standIn(toolResultOf(await deps.executions.get(principal, executionId)));
  }
  if (record.status !== 'paused') return endResult(record, hasOutputSchema);
  const asked = await askForApproval(deps, context, record);
  if (asked === 'asked')
    return await gatedCall(deps, context, { executionId, waitsOut: record.approval?.id ?? null, waitMs: DECISION_MS }, hasOutputSchema);
  return isInputRequiredResult(asked) ? asked : standIn(asked as CallToolResult);
}

/** What stands in a tool's place must not be taken for an answer in the tool's own shape. */
const standIn = ({ content }: CallToolResult): CallToolResult => ({ content, isError: true });

function endResult(record: ExecutionRecord, hasOutputSchema: boolean): CallToolResult {
  const end = endOf(record);
  return end.kind === 'value' ? passedResult(end.value, hasOutputSchema) : failedResult(end);
}

/** As the server gave it; a block of a type that clients do not know is shown as text. */
function passedAnswer({ content, structuredContent, _meta }: McpAnswer, isError: boolean): CallToolResult {
  return {
    content: content.map(blockOf),
    ...(isRecord(structuredContent) ? { structuredContent } : {}),
    ...(_meta === undefined ? {} : { _meta }),
    ...(isError ? { isError } : {}),
  };
}

function passedResult(value: unknown, hasOutputSchema: boolean): CallToolResult {
  const blocks = contentBlocksOf(value);
  if (blocks !== null) return { content: blocks };
  const isStructured = hasOutputSchema && typeof value === 'object' && value !== null && !Array.isArray(value);
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return {
    content: [{ type: 'text', text }],
    ...(isStructured ? { structuredContent: value as Record<string, unknown> } : {}),
  };
}

/** A tool that fails says so in its own words; what failed before it was reached carries its code. */
function failedResult({
  code,
  message,
  details,
}: {
  readonly code: string;
  readonly message: string;
  readonly details?: unknown;
}): CallToolResult {
  if (code === 'TOOL_FAILED') return { content: [{ type: 'text', text: message }], isError: true };
  const more = details === undefined ? '' : `\n${JSON.stringify(details).slice(0, 4_000)}`;
  return { content: [{ type: 'text', text: `${code}: ${message}${more}` }], isError: true };
}

async function addressOf(
  { tools }: RouteDeps,
  caller: McpCaller,
  name: string,
): Promise<{ readonly server: string; readonly name: string }> {
  const within = caller.server === null ? {} : { server: caller.server };
  let cursor: string | undefined;
  do {
    const page = await tools.listTools(caller.principal, { limit: NAMES_PAGE, cursor, ...within });
    const found = page.items.find((item) => nameFor(caller, item) === name);
    if (found !== undefined) return found;
    cursor = page.nextCursor ?? undefined;
  } while (cursor !== undefined);
  throw invalidParams(`There is no tool ${JSON.stringify(name.slice(0, 100))}; tools/list has all.`);
}
