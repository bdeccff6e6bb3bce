import {
  allowsServer,
  DISCOVERY_OPERATIONS,
  type DiscoveryOperation,
  type Principal,
  SEARCH_DETAILS,
  type ToolCallReply,
} from '@code-executor/contracts';
import { AppError, isAppError } from '@code-executor/platform';
import { z } from 'zod';
import type { LocalToolAdministration } from './port.ts';
import type { ServerLog } from './sources/mcp/mcp-server.ts';
import { failure } from './sources/mcp/reply-value.ts';

const pageSchema = { limit: z.int().min(1).max(10_000).default(1_000), offset: z.int().min(0).max(1_000_000).default(0) };
const PARAMETERS = {
  list_servers: z.strictObject({}),
  list_tools: z.strictObject({ server: z.string().optional(), ...pageSchema }),
  search_tools: z.strictObject({
    q: z.string().max(1_000),
    server: z.string().optional(),
    detail: z.enum(SEARCH_DETAILS).default('description'),
    limit: z.int().min(1).max(1_000).default(20),
    offset: pageSchema.offset,
  }),
  get_tool: z.strictObject({ server: z.string(), tool: z.string() }),
};

/**
 * What a program may ask about the catalog, as `discovery` inside the sandbox:
 * `list_servers` → `[{server, state, tools, reason}]`; `list_tools` → ToolSummary[]; `search_tools` → SearchAnswer; `get_tool` → ToolInfo.
 * Never throws.
 */
export function discover(
  operation: DiscoveryOperation,
  params: unknown,
  principal: Principal,
  tools: Pick<LocalToolAdministration, 'listTools' | 'search' | 'toolInfo' | 'summary'>,
  log: ServerLog,
): ToolCallReply {
  try {
    return { ok: true, value: answer(operation, params ?? {}, principal, tools) };
  } catch (error) {
    if (isAppError(error)) return failure(error.code, error.message, error.details);
    log.warn({ err: error, operation }, 'A discovery question failed by a fault of ours');
    return failure('INTERNAL', 'A fault of ours; the log has it');
  }
}

function answer(
  operation: DiscoveryOperation,
  params: unknown,
  principal: Principal,
  tools: Pick<LocalToolAdministration, 'listTools' | 'search' | 'toolInfo' | 'summary'>,
): unknown {
  switch (operation) {
    case 'list_servers':
      read('list_servers', params);
      return Object.entries(tools.summary().servers)
        .filter(([server]) => allowsServer(principal.scopes, server))
        .map(([server, state]) => ({ server, ...state }));
    case 'list_tools': {
      const { server, limit, offset } = read('list_tools', params);
      return tools.listTools(principal, { server, limit, cursor: String(offset) }).items;
    }
    case 'search_tools':
      return tools.search(principal, read('search_tools', params));
    case 'get_tool': {
      const { server, tool } = read('get_tool', params);
      return tools.toolInfo(principal, server, tool);
    }
    default:
      throw new AppError(
        'INVALID_REQUEST',
        `No discovery operation ${String(operation).slice(0, 60)}; there are ${DISCOVERY_OPERATIONS.join(', ')}`,
      );
  }
}

function read<Operation extends DiscoveryOperation>(operation: Operation, params: unknown): z.infer<(typeof PARAMETERS)[Operation]> {
  const parsed = PARAMETERS[operation].safeParse(params);
  if (parsed.success) return parsed.data as z.infer<(typeof PARAMETERS)[Operation]>;
  const problems = parsed.error.issues.map((issue) => `${issue.path.map(String).join('.') || operation}: ${issue.message}`);
  throw new AppError('INVALID_ARGUMENTS', `${operation}: ${problems.join('; ').slice(0, 1_000)}`, { details: { problems } });
}
