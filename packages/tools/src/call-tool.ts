import { hash } from 'node:crypto';
import { knownErrorCode, newId, type ToolCallReply } from '@code-executor/contracts';
import type { ToolCallOutcome } from '@code-executor/executions';
import { AppError, isAppError, type Tracing } from '@code-executor/platform';
import type { ArgumentValidator } from './calls/argument-validator.ts';
import type { CallRecorder } from './calls/call-recorder.ts';
import { canonicalJson } from './calls/canonical-json.ts';
import type { CallTrace } from './calls/watch-calls.ts';
import type { CatalogTool } from './catalog/catalog.ts';
import { storableText } from './catalog/catalog-store.ts';
import type { Seal } from './integrations/seal.ts';
import { matchesPattern, type PolicyPattern } from './policies/pattern.ts';
import type { PolicyDecision } from './policies/policies.ts';
import type { ServerLog } from './sources/mcp/mcp-server.ts';
import { failure } from './sources/mcp/reply-value.ts';
import { printable } from './sources/mcp/stderr-log.ts';
import type { PreparedCall, Source } from './sources/source.ts';

export interface ToolCall {
  readonly workspaceId: string;
  readonly principalId: string;
  /** Null for a call without code. */
  readonly execution: {
    readonly id: string;
    readonly callNumber: number;
    /** Of the claim on it, in the fleet. */
    readonly token?: number | undefined;
  } | null;
  /** `server.tool` or `server@connection.tool`, each as the upstream or as code spells it. */
  readonly address: string;
  readonly args: unknown;
  /** On whose behalf it is made, where that is traced. */
  readonly traceparent?: string | undefined;
  readonly trace?: CallTrace | undefined;
}

/** A tool as it is to be called, at one moment of catalog and policies. */
export interface ResolvedTool {
  readonly entry: CatalogTool;
  readonly source: Source;
  /** The connection that the address names; null: none. */
  readonly connection: string | null;
  readonly decision: PolicyDecision;
  readonly readOnly: readonly PolicyPattern[];
}

export interface CallToolDependencies {
  /** @throws AppError SERVER_NOT_FOUND, TOOL_NOT_FOUND with near matches, UPSTREAM_UNAVAILABLE. Waits for a server that is starting for the first time. */
  resolve(address: string, signal: AbortSignal): Promise<ResolvedTool>;
  readonly validator: ArgumentValidator;
  readonly recorder: CallRecorder;
  readonly seal: Seal;
  readonly log: ServerLog;
  readonly tracing?: Tracing | null | undefined;
}

const ARGUMENTS_LIMIT_BYTES = 1024 * 1024;

/**
 * The one way every tool call goes: resolve, policy, arguments, the source up, its credential, the record, dispatch, the record's end.
 * Never rejects. Nothing is dispatched before its record is committed.
 */
export async function callTool(call: ToolCall, deps: CallToolDependencies, signal: AbortSignal): Promise<ToolCallOutcome> {
  try {
    signal.throwIfAborted();
    const tool = await deps.resolve(call.address, signal);
    const canonical = canonicalArguments(call.args, call.address);
    trace(call, tool, canonical);
    if (!mayRun(tool)) return refuse(call, tool, canonical, deps);
    checkArguments(tool, call.args, deps);
    await tool.source.up(signal);
    // A server that came up just now may have brought another definition.
    const current = await deps.resolve(call.address, signal);
    if (current.entry !== tool.entry) {
      trace(call, current, canonical);
      if (!mayRun(current)) return refuse(call, current, canonical, deps);
      checkArguments(current, call.args, deps);
    }
    const prepared = await current.source.prepare(occasionOf(call, current), signal);
    const record = recordOf(call, current, canonical, deps.seal);
    const started = await deps.recorder.started(record, call.execution?.token);
    if (started !== 'recorded') throw notStarted(started, call);
    return await dispatch(prepared, { current, record, call }, deps, signal);
  } catch (error) {
    return { reply: replyOfFault(error, call.address, signal, deps), effects: 'none' };
  }
}

function notStarted(started: 'repeated' | 'stale', { execution }: ToolCall): AppError {
  const which = `Call ${execution?.callNumber} of ${execution?.id}`;
  return started === 'repeated'
    ? new AppError('CALL_REPEATED', `${which} was made before and is not made again`)
    : new AppError('STALE_CLAIM', `${which} was not made: the claim on the execution has lapsed, or it has ended`);
}

const occasionOf = ({ workspaceId, principalId }: ToolCall, { entry, connection }: ResolvedTool) => ({
  workspaceId,
  principalId,
  connection,
  entry,
});

async function dispatch(
  prepared: PreparedCall,
  { current, record, call }: { readonly current: ResolvedTool; readonly record: ReturnType<typeof recordOf>; readonly call: ToolCall },
  deps: CallToolDependencies,
  signal: AbortSignal,
): Promise<ToolCallOutcome> {
  const began = performance.now();
  const span = startUpstream(call, current, deps);
  const { reply, bytes, isAnswered } = await prepared.send(
    { args: call.args as Record<string, unknown>, idempotencyKey: record.idempotency_key, traceparent: span?.traceparent },
    signal,
  );
  span?.end({ error: reply.ok ? null : knownErrorCode(reply.error.code) });
  if (call.trace !== undefined) call.trace.replyBytes = bytes;
  deps.recorder.finished({
    call_id: record.id,
    outcome: reply.ok ? 'ok' : reply.error.code,
    duration_ms: performance.now() - began,
    reply_bytes: bytes,
    finished_at: new Date(),
  });
  return { reply, effects: record.read_only ? 'none' : isAnswered ? 'some' : 'unknown' };
}

/** The time that the upstream server takes, apart from ours. */
function startUpstream({ traceparent }: ToolCall, { entry, source }: ResolvedTool, { tracing }: CallToolDependencies) {
  return tracing?.start(source.kind === 'mcp' ? 'tools/call' : 'upstream request', {
    kind: 'client',
    parent: traceparent,
    attributes: {
      ...(source.kind === 'mcp' ? { 'mcp.method.name': 'tools/call' } : {}),
      'code_executor.tool.server': entry.tool.server,
      'code_executor.tool.name': entry.tool.name,
      'code_executor.tool.transport': source.transport,
    },
  });
}

function trace({ trace }: ToolCall, { entry, decision }: ResolvedTool, canonical: string): void {
  if (trace === undefined) return;
  Object.assign(trace, { server: entry.tool.server, tool: entry.tool.name, decision: decision.action });
  trace.argumentBytes = Buffer.byteLength(canonical);
}

const mayRun = ({ decision }: ResolvedTool): boolean => decision.action === 'allow';

function refuse(call: ToolCall, tool: ResolvedTool, canonical: string, deps: CallToolDependencies): ToolCallOutcome {
  const { name, server } = tool.entry.tool;
  const address = `${server}.${name}`;
  const isBlocked = tool.decision.action === 'block';
  const code = isBlocked ? 'TOOL_BLOCKED' : 'TOOL_NEEDS_APPROVAL';
  const message = isBlocked
    ? `${address} is blocked by the operator (${tool.decision.reason})`
    : `${address} needs the operator's approval (${tool.decision.reason}). The operator can allow it with POST /policies {"pattern":${JSON.stringify(address)},"action":"allow"}, or mark its server as trusted`;
  const record = recordOf(call, tool, canonical, deps.seal);
  deps.recorder.started(record, call.execution?.token).then(
    (started) => {
      if (started !== 'recorded') return;
      deps.recorder.finished({ call_id: record.id, outcome: code, duration_ms: 0, reply_bytes: 0, finished_at: new Date() });
    },
    (error: unknown) => deps.log.warn({ err: error, tool: address }, 'A refused tool call could not be recorded'),
  );
  return { reply: failure(code, message, { tool: address, policy: tool.decision }), effects: 'none' };
}

function checkArguments({ entry }: ResolvedTool, args: unknown, { validator }: CallToolDependencies): void {
  const address = `${entry.tool.server}.${entry.tool.name}`;
  if (typeof args !== 'object' || args === null || Array.isArray(args)) {
    throw new AppError('INVALID_ARGUMENTS', `${address} takes its arguments as one object, such as {"name": "value"}`);
  }
  const problems = validator.check(entry.tool, args as Record<string, unknown>);
  if (problems.length > 0) {
    throw new AppError('INVALID_ARGUMENTS', `${address}: ${problems.map((problem) => problem.message).join('; ')}`, {
      details: { tool: address, problems },
    });
  }
}

function canonicalArguments(args: unknown, address: string): string {
  try {
    const canonical = canonicalJson(args);
    const bytes = Buffer.byteLength(canonical);
    if (bytes > ARGUMENTS_LIMIT_BYTES)
      throw new AppError(
        'ARGUMENTS_TOO_LARGE',
        `The arguments of ${printable(address, 100)} have ${bytes} bytes; ${ARGUMENTS_LIMIT_BYTES} are allowed`,
      );
    return canonical;
  } catch (error) {
    if (error instanceof RangeError) throw new AppError('INVALID_ARGUMENTS', `The arguments of ${printable(address, 100)} nest too deep`);
    throw error;
  }
}

function recordOf(call: ToolCall, { entry, connection, decision, readOnly }: ResolvedTool, canonical: string, seal: Seal) {
  const id = newId('tcl');
  const { server, name } = entry.tool;
  const occasion = call.execution === null ? [id] : [call.execution.id, call.execution.callNumber];
  const address = connection === null ? [server, name] : [server, name, connection];
  return {
    id,
    workspace_id: call.workspaceId,
    principal_id: call.principalId,
    execution_id: call.execution?.id ?? null,
    call_number: call.execution?.callNumber ?? null,
    server,
    tool: storableText(name),
    argument_digest: hash('sha256', canonical),
    idempotency_key: seal.mac('idempotency', JSON.stringify([...occasion, ...address, canonical])),
    decision: decision.action,
    read_only: readOnly.some((pattern) => matchesPattern(pattern, `${server}.${name}`)),
    dispatched_at: new Date(),
  };
}

/** Faults before dispatch. */
function replyOfFault(error: unknown, address: string, signal: AbortSignal, { log }: CallToolDependencies): ToolCallReply {
  if (signal.aborted) return failure('CALL_ABORTED', `${printable(address, 200)} was not made: the execution ended first`);
  if (isAppError(error)) {
    if (error.code === 'INTERNAL') log.warn({ err: error, tool: printable(address, 200) }, 'A tool call failed by a fault of ours');
    return failure(error.code, error.message, error.details);
  }
  log.warn({ err: error, tool: printable(address, 200) }, 'A tool call failed by a fault of ours');
  return failure('INTERNAL', 'A fault of ours; the log has it');
}
