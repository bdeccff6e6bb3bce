import type { Principal } from '@code-executor/contracts';
import { AppError, isAppError } from '@code-executor/platform';
import { ZodError } from 'zod';
import { visibleArguments } from '../approvals/display.ts';
import type { Audit } from '../audit/port.ts';
import type { ServerLog } from '../sources/mcp/mcp-server.ts';
import { failure } from '../sources/mcp/reply-value.ts';
import {
  type CallOccasion,
  type ManagedServer,
  NO_CHANGE,
  type PreparedCall,
  type Source,
  type UpstreamAnswer,
} from '../sources/source.ts';
import { type ActingDependencies, actingPrincipal } from './acting-principal.ts';
import { EXECUTOR_SERVER } from './executor-server.ts';
import type { ExecutorTool } from './executor-tools.ts';

export interface ExecutorDependencies extends ActingDependencies {
  readonly tools: readonly ExecutorTool[];
  readonly audit: Pick<Audit, 'record'>;
  readonly log: ServerLog;
}

/** Above the time that fetching, reading and storing a large document may take. */
const CALL_TIMEOUT_MS = 180_000;

/** The tools of administration as a server among others. */
export function manageExecutor(deps: ExecutorDependencies): ManagedServer {
  const tools = new Map(deps.tools.map((tool) => [tool.name, tool]));
  const state: ManagedServer['state'] = () => ({ state: 'ready', reason: null, restarts: 0 });
  const source: Source = {
    slug: EXECUTOR_SERVER,
    kind: EXECUTOR_SERVER,
    transport: 'none',
    lazy: false,
    callTimeoutMs: CALL_TIMEOUT_MS,
    readOnlyTools: deps.tools.filter(({ isReadOnly }) => isReadOnly).map(({ name }) => name),
    state,
    start: () => undefined,
    settled: async () => undefined,
    up: async () => undefined,
    prepare,
    relist: async () => undefined,
    stop: async () => undefined,
  };
  return {
    slug: EXECUTOR_SERVER,
    kind: EXECUTOR_SERVER,
    // Nobody removes it but by the configuration.
    origin: 'file',
    trust: 'by-name',
    source,
    state,
    warnings: () => [],
    lastChange: () => NO_CHANGE,
  };

  async function prepare(occasion: CallOccasion): Promise<PreparedCall> {
    const { name } = occasion.entry.tool;
    const tool = tools.get(name);
    if (tool === undefined) throw new AppError('TOOL_NOT_FOUND', `${EXECUTOR_SERVER} has no tool ${JSON.stringify(name.slice(0, 80))}`);
    const actor = await actingPrincipal(occasion, tool, deps);
    const known = await deps.findPrincipal(occasion.principalId);
    const { workspaceId } = occasion;
    // Not known: the least there is.
    const asker: Principal = {
      id: occasion.principalId,
      workspaceId,
      role: known?.role ?? 'agent',
      name: known?.name,
      scopes: known?.scopes,
    };
    return { send: ({ args }, signal) => answerOf(tool, args, { actor, asker }, occasion, signal) };
  }

  async function answerOf(
    tool: ExecutorTool,
    args: Readonly<Record<string, unknown>>,
    actors: { readonly actor: Principal; readonly asker: Principal },
    occasion: CallOccasion,
    signal: AbortSignal,
  ): Promise<UpstreamAnswer> {
    const ended = AbortSignal.any([signal, AbortSignal.timeout(CALL_TIMEOUT_MS)]);
    try {
      assertReadable(tool, args);
      const value = (await within(tool.run(args, actors), ended)) ?? null;
      await written(tool, args, actors, occasion, 'ok');
      // As JSON carries it, like any server's answer.
      const text = JSON.stringify(value);
      return { reply: { ok: true, value: JSON.parse(text) }, bytes: Buffer.byteLength(text), isAnswered: true };
    } catch (error) {
      const { code, message, isKnown } = faultOf(error, tool, ended);
      if (!isKnown) deps.log.warn({ err: error, tool: tool.name }, 'A tool of administration failed');
      await written(tool, args, actors, occasion, code);
      return { reply: failure(code, message, { tool: `${EXECUTOR_SERVER}.${tool.name}` }), bytes: 0, isAnswered: code !== 'CALL_ABORTED' };
    }
  }

  /** Who acted, and on whose question. */
  async function written(
    tool: ExecutorTool,
    args: unknown,
    { actor, asker }: { readonly actor: Principal; readonly asker: Principal },
    { approvalId, policyId }: CallOccasion,
    outcome: string,
  ): Promise<void> {
    if (tool.isReadOnly) return;
    await deps.audit.record({
      type: tool.act,
      principal: actor,
      target: tool.target(args),
      server: EXECUTOR_SERVER,
      tool: tool.name,
      outcome,
      details: { askedBy: asker.id, approvalId: approvalId ?? null, allowedBy: approvalId == null ? (policyId ?? null) : null },
    });
  }
}

/** What a person could not have read was not approved. @throws AppError INVALID_ARGUMENTS */
function assertReadable({ name, long, isReadOnly }: ExecutorTool, args: Readonly<Record<string, unknown>>): void {
  if (isReadOnly) return;
  const short = Object.fromEntries(Object.entries(args).filter(([field]) => !long.includes(field)));
  if (visibleArguments(short).truncated)
    throw new AppError('INVALID_ARGUMENTS', `${EXECUTOR_SERVER}.${name}: the arguments are longer than a person who approves is shown`);
}

function faultOf(error: unknown, { name }: ExecutorTool, signal: AbortSignal): { code: string; message: string; isKnown: boolean } {
  const address = `${EXECUTOR_SERVER}.${name}`;
  if (signal.aborted)
    return { code: 'CALL_ABORTED', message: `${address} was cancelled, or took too long; whether it was done is unknown`, isKnown: true };
  if (isAppError(error)) return { code: error.code, message: error.message, isKnown: true };
  if (error instanceof ZodError) {
    const why = error.issues.map(({ path, message }) => `${path.join('.') || 'arguments'}: ${message}`).join('; ');
    return { code: 'INVALID_ARGUMENTS', message: `${address}: ${why}`, isKnown: true };
  }
  return { code: 'INTERNAL', message: `${address} failed; the log of the service says why`, isKnown: false };
}

function within<Value>(work: Promise<Value>, signal: AbortSignal): Promise<Value> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
