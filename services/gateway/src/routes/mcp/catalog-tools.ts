import { SEARCH_DETAILS } from '@code-executor/contracts';
import { AppError } from '@code-executor/platform';
import type { ToolInfo } from '@code-executor/tools';
import type { CallToolResult } from '@modelcontextprotocol/server';
import { z } from 'zod';
import type { RouteDeps } from '../../gateway-app.ts';
import type { ToolCallContext } from './call-context.ts';
import { parseArguments } from './tool-errors.ts';

const searchSchema = z.strictObject({
  query: z.string().max(500).default(''),
  server: z.string().max(128).optional(),
  detail: z.enum(SEARCH_DETAILS).default('description'),
  limit: z.int().min(1).max(200).default(20),
  offset: z.int().min(0).max(1_000_000).default(0),
});

const describeSchema = z.strictObject({
  tools: z.array(z.string().max(300)).min(1).max(20),
  schema: z.boolean().default(false),
});

/** Names first, then descriptions, then definitions: as GET /tools/search, without what a model has no use for. */
export async function searchTools({ tools }: RouteDeps, { caller }: ToolCallContext, given: unknown): Promise<CallToolResult> {
  const { query, detail, ...page } = parseArguments(searchSchema, given);
  const { items, total, nextOffset } = await tools.search(caller.principal, { q: query, detail, ...page });
  const found = detail === 'full' && Array.isArray(items) ? (items as ToolInfo[]).map((info) => descriptionOf(info, true)) : items;
  return textResult(JSON.stringify({ items: found, total, ...(nextOffset === null ? {} : { nextOffset }) }));
}

/** Of each tool its signature, how to import it, and what a call meets; one that is not there does not spoil the others. */
export async function describeTools({ tools }: RouteDeps, { caller }: ToolCallContext, given: unknown): Promise<CallToolResult> {
  const { tools: addresses, schema } = parseArguments(describeSchema, given);
  const answers = await Promise.allSettled(
    addresses.map(async (address) => {
      const { server, tool } = splitAddress(address);
      return descriptionOf(await tools.toolInfo(caller.principal, server, tool), schema);
    }),
  );
  const failed = answers.find((answer) => answer.status === 'rejected');
  if (failed !== undefined && answers.every(({ status }) => status === 'rejected')) throw failed.reason;
  const described = answers.map((answer, index) =>
    answer.status === 'fulfilled' ? answer.value : missing(addresses[index] ?? '', answer.reason),
  );
  return textResult(described.map((one) => JSON.stringify(one)).join('\n'));
}

function descriptionOf(info: ToolInfo, withSchema: boolean): Record<string, unknown> {
  const { server, name, description, signature, wrapper, policy, inputSchema, outputSchema } = info;
  return {
    tool: `${server}.${name}`,
    description,
    signature,
    import: wrapper.path.replace(/\.ts$/, '.js'),
    ...(policy.action === 'allow' ? {} : { policy: policy.action }),
    ...(withSchema ? { inputSchema, ...(outputSchema === null ? {} : { outputSchema }) } : {}),
  };
}

function missing(address: string, reason: unknown): Record<string, unknown> {
  if (reason instanceof AppError) return { tool: address, error: reason.message };
  throw reason;
}

/** Slugs have no dots, names of tools may. */
function splitAddress(address: string): { readonly server: string; readonly tool: string } {
  const dot = address.indexOf('.');
  if (dot > 0 && dot < address.length - 1) return { server: address.slice(0, dot), tool: address.slice(dot + 1) };
  throw new AppError(
    'INVALID_REQUEST',
    `${JSON.stringify(address)} is no address of a tool; those look like server.tool, as search_tools answers them.`,
  );
}

const textResult = (text: string): CallToolResult => ({ content: [{ type: 'text', text }] });
