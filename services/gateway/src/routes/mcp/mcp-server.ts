import { AppError } from '@code-executor/platform';
import {
  type CallToolRequest,
  type CallToolResult,
  CLIENT_CAPABILITIES_META_KEY,
  type InputRequiredResult,
  LOG_LEVEL_META_KEY,
  Server,
  type ServerContext,
} from '@modelcontextprotocol/server';
import { AjvJsonSchemaValidator } from '@modelcontextprotocol/server/validators/ajv';
import type { FastifyBaseLogger } from 'fastify';
import type { RouteDeps } from '../../gateway-app.ts';
import type { McpCaller, ToolCallContext } from './call-context.ts';
import { describeTools, searchTools } from './catalog-tools.ts';
import { elicitationOf } from './client-of.ts';
import { executeTool } from './execute-tool.ts';
import { INSTRUCTIONS } from './instructions.ts';
import { callPassedTool, listPassedTools } from './passthrough.ts';
import { listResourceTemplates, readResource } from './resources.ts';
import { resumeRound, resumeTool } from './resume-tool.ts';
import { CODE_TOOLS } from './tool-definitions.ts';
import { errorResult, invalidParams } from './tool-errors.ts';

type Answer = CallToolResult | InputRequiredResult;
type ToolHandler = (deps: RouteDeps, context: ToolCallContext, given: unknown) => Promise<Answer>;

/** How the 2025 versions reach their client while a request is answered; the 2026 version goes through the library. */
export type Exchange = Pick<ToolCallContext, 'notify' | 'mark' | 'ask'>;

const TOOLS: Readonly<Record<string, ToolHandler>> = {
  execute: executeTool,
  search_tools: searchTools,
  describe_tool: describeTools,
  resume: resumeTool,
};

/** One for all: each holds a compiler of schemas. It is for answers to forms, of which we ask none. */
const VALIDATOR = new AjvJsonSchemaValidator();

/**
 * The endpoint's side of the protocol for one request: all that lasts longer lies in the database and in executions.
 * `exchange` null: the request is of the 2026 version.
 */
export function buildMcpServer(deps: RouteDeps, caller: McpCaller, exchange: Exchange | null, log: FastifyBaseLogger): Server {
  const { principal, session, mode } = caller;
  const server = new Server(
    { name: 'code-executor', title: 'Code executor', version: deps.version },
    {
      capabilities: { tools: {}, resources: {}, logging: {} },
      instructions: mode === 'code' ? INSTRUCTIONS : 'The tools of all connected servers, named server__tool.',
      jsonSchemaValidator: VALIDATOR,
    },
  );

  server.setRequestHandler('tools/list', async (request) =>
    mode === 'code' ? { tools: [...CODE_TOOLS] } : await protocolErrors(() => listPassedTools(deps, caller, request.params?.cursor)),
  );
  server.setRequestHandler('tools/call', async (request, context) => {
    const call = toolCallContext(caller, exchange, request, context);
    const { name, arguments: given } = request.params;
    const handler = toolFor(mode, name);
    if (mode === 'code' && handler === undefined) {
      throw invalidParams(
        `There is no tool ${JSON.stringify(name.slice(0, 100))}; there are ${Object.keys(TOOLS).join(', ')}. Tools of servers are called from a program of execute.`,
      );
    }
    try {
      const isRound = call.answers !== null && call.requestState !== null;
      const answer =
        handler === undefined
          ? await callPassedTool(deps, call, name, given)
          : await (isRound ? resumeRound(deps, call) : handler(deps, call, given));
      if (await caller.mayGoOn()) return answer;
      throw new AppError('UNAUTHENTICATED', 'This key was revoked or expired while the call ran.');
    } catch (error) {
      if (caller.over.aborted) throw error;
      return errorResult(error, log);
    }
  });
  server.setRequestHandler('resources/list', () => ({ resources: [] }));
  server.setRequestHandler('resources/templates/list', () => listResourceTemplates());
  server.setRequestHandler('resources/read', (request) => protocolErrors(() => readResource(deps, principal, request.params.uri)));
  server.setRequestHandler('logging/setLevel', async (request) => {
    if (session !== null) await deps.mcpSessions?.setLogLevel(principal, session.id, request.params.level);
    return {};
  });
  return server;
}

/** What waits for a human is resumed in either mode. */
function toolFor(mode: McpCaller['mode'], name: string): ToolHandler | undefined {
  return (mode === 'code' && Object.hasOwn(TOOLS, name)) || name === 'resume' ? TOOLS[name] : undefined;
}

function toolCallContext(caller: McpCaller, exchange: Exchange | null, request: CallToolRequest, context: ServerContext): ToolCallContext {
  const { mcpReq } = context;
  const shared = {
    caller,
    requestId: mcpReq.id,
    progressToken: mcpReq._meta?.progressToken ?? request.params._meta?.progressToken ?? null,
    cancelled: mcpReq.signal,
  };
  if (exchange !== null) {
    const { session } = caller;
    return {
      ...shared,
      ...exchange,
      logLevel: session?.logLevel ?? null,
      elicitation: session?.client.elicitation ?? [],
      answers: null,
      requestState: null,
    };
  }
  const envelope: Readonly<Record<string, unknown>> = mcpReq.envelope ?? {};
  const level = envelope[LOG_LEVEL_META_KEY];
  return {
    ...shared,
    logLevel: typeof level === 'string' ? level : null,
    // A client that has gone is told nothing more; its request ends by its own signal.
    notify: (notification) => void mcpReq.notify(notification as Parameters<typeof mcpReq.notify>[0]).catch(() => undefined),
    mark: () => undefined,
    elicitation: elicitationOf(envelope[CLIENT_CAPABILITIES_META_KEY]),
    ask: null,
    answers: mcpReq.inputResponses ?? null,
    requestState: mcpReq.requestState<string>() ?? null,
  };
}

/** Outside of tool calls the protocol has no other place for what is wrong than its own errors. */
async function protocolErrors<Result>(answer: () => Promise<Result>): Promise<Result> {
  try {
    return await answer();
  } catch (error) {
    if (error instanceof AppError && error.code !== 'INTERNAL') throw invalidParams(`${error.code}: ${error.message}`);
    throw error;
  }
}
