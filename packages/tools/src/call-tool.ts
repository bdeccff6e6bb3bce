import { hash } from 'node:crypto';
import { knownErrorCode, newId, type ToolCallReply } from '@code-executor/contracts';
import type { ToolCallOutcome } from '@code-executor/executions';
import { AppError, isAppError, type Tracing } from '@code-executor/platform';
import type { Approvals } from './approvals/approvals.ts';
import { gateCall } from './approvals/gate-call.ts';
import type { ArgumentValidator } from './calls/argument-validator.ts';
import type { CallRecorder } from './calls/call-recorder.ts';
import { canonicalJson } from './calls/canonical-json.ts';
import { assertMayCall, type FindPrincipal } from './calls/may-call.ts';
import type { CallTrace } from './calls/watch-calls.ts';
import type { CatalogTool } from './catalog/catalog.ts';
import { storableText } from './catalog/catalog-store.ts';
import type { Seal } from './integrations/seal.ts';
import type { CallLimits } from './policies/call-limits.ts';
import type { CallDecision } from './policies/decide.ts';
import { matchesPattern, type PolicyPattern } from './policies/pattern.ts';
import type { PolicyCall } from './policies/rule.ts';
import type { CallPrincipal } from './policies/subject.ts';
import type { ServerLog } from './sources/mcp/mcp-server.ts';
import { failure } from './sources/mcp/reply-value.ts';
import { printable } from './sources/mcp/stderr-log.ts';
import type { PreparedCall, Source } from './sources/source.ts';

export interface ToolCall {
  readonly workspaceId: string;
  readonly principalId: string;
  /** What is known of the principal, for policies. */
  readonly principal?: CallPrincipal | undefined;
  /** Null for a call without code. */
  readonly execution: {
    readonly id: string;
    readonly callNumber: number;
    /** Of the claim on it, in the fleet. */
    readonly token?: number | undefined;
    /** The decision that it is issued again with. */
    readonly approvalId?: string | undefined;
  } | null;
  /** `server.tool` or `server@connection.tool`, each as the upstream or as code spells it. */
  readonly address: string;
  readonly args: unknown;
  /** See `InvokeOptions`. */
  readonly wholeAnswer?: boolean | undefined;
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
  /** The one that the call goes by, the default one included; null: none. */
  readonly goesBy: string | null;
  readonly decision: CallDecision;
  readonly readOnly: readonly PolicyPattern[];
}

/** Of a call, before its connection is known. */
export type AskedOfPolicy = Omit<PolicyCall, 'connection'>;

export interface CallToolDependencies {
  /** @throws AppError SERVER_NOT_FOUND, TOOL_NOT_FOUND with near matches, UPSTREAM_UNAVAILABLE. Waits for a server that is starting for the first time. */
  resolve(address: string, signal: AbortSignal, asked: AskedOfPolicy): Promise<ResolvedTool>;
  readonly validator: ArgumentValidator;
  readonly recorder: CallRecorder;
  readonly findPrincipal: FindPrincipal;
  readonly limits: CallLimits;
  readonly approvals: Approvals;
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
    const asked = { args: call.args, principal: await principalOf(call, deps) };
    const tool = await deps.resolve(call.address, signal, asked);
    const canonical = canonicalArguments(call.args, call.address);
    trace(call, tool, canonical);
    const entitled = (): Promise<void> => assertEntitled(call, tool, canonical, deps);
    await entitled();
    if (isBlocked(tool)) return refuse(call, tool, canonical, deps);
    checkArguments(tool, call.args, deps);
    let consent = await consentTo(call, tool, canonical, deps);
    if ('reply' in consent) return consent;
    await tool.source.up(signal);
    // A server that came up just now may have brought another definition, and the wait for it another policy.
    const current = await deps.resolve(call.address, signal, asked);
    if (current.entry !== tool.entry || current.decision.action !== tool.decision.action) {
      trace(call, current, canonical);
      if (isBlocked(current)) return refuse(call, current, canonical, deps);
      checkArguments(current, call.args, deps);
      consent = await consentTo(call, current, canonical, deps);
      if ('reply' in consent) return consent;
    }
    const prepared = await current.source.prepare(occasionOf(call, current, consent.approvalId), signal);
    // Its key may have been revoked while a server was waited for.
    await entitled();
    await countCall(call, current, canonical, deps);
    const record = recordOf(call, current, canonical, deps.seal, consent.isApproved ? 'approved' : undefined);
    const started = await deps.recorder.started(record, call.execution?.token, consent.approvalId);
    if (started !== 'recorded') throw notStarted(started, call);
    return await dispatch(prepared, { current, record, call }, deps, signal);
  } catch (error) {
    return { reply: replyOfFault(error, call.address, signal, deps), effects: 'none' };
  }
}

const principalOf = async (call: ToolCall, { findPrincipal }: CallToolDependencies): Promise<CallPrincipal> =>
  call.principal ?? (await findPrincipal(call.principalId)) ?? { id: call.principalId };

/** @throws AppError UNAUTHENTICATED, FORBIDDEN. It is in the journal then. */
async function assertEntitled(call: ToolCall, tool: ResolvedTool, canonical: string, deps: CallToolDependencies): Promise<void> {
  try {
    assertMayCall(await principalOf(call, deps), tool.entry.tool.server);
  } catch (error) {
    if (isAppError(error)) journalRefusal(call, tool, canonical, error.code, deps, 'refused');
    throw error;
  }
}

/** @throws AppError RATE_LIMITED, CALL_LIMIT. It is in the journal then. */
async function countCall(call: ToolCall, tool: ResolvedTool, canonical: string, deps: CallToolDependencies): Promise<void> {
  const { limits } = tool.decision;
  if (limits.length === 0) return;
  const counted = { workspaceId: call.workspaceId, principalId: call.principalId, executionId: call.execution?.id ?? null };
  try {
    await deps.limits.count(counted, limits);
  } catch (error) {
    if (isAppError(error)) journalRefusal(call, tool, canonical, error.code, deps, 'refused');
    throw error;
  }
}

function notStarted(started: 'repeated' | 'stale' | 'unapproved', { execution }: ToolCall): AppError {
  const which = `Call ${execution?.callNumber} of ${execution?.id}`;
  if (started === 'unapproved') return new AppError('APPROVAL_VOID', `${which} was not made: its approval holds no more`);
  return started === 'repeated'
    ? new AppError('CALL_REPEATED', `${which} was made before and is not made again`)
    : new AppError('STALE_CLAIM', `${which} was not made: the claim on the execution has lapsed, or it has ended`);
}

const occasionOf = ({ workspaceId, principalId }: ToolCall, { entry, connection, decision }: ResolvedTool, approvalId: string | null) => ({
  workspaceId,
  principalId,
  connection,
  entry,
  approvalId,
  policyId: decision.policyId,
});

async function dispatch(
  prepared: PreparedCall,
  { current, record, call }: { readonly current: ResolvedTool; readonly record: ReturnType<typeof recordOf>; readonly call: ToolCall },
  deps: CallToolDependencies,
  signal: AbortSignal,
): Promise<ToolCallOutcome> {
  const began = performance.now();
  const span = startUpstream(call, current, deps);
  const { reply, bytes, isAnswered, isUnsent } = await prepared.send(
    {
      args: call.args as Record<string, unknown>,
      wholeAnswer: call.wholeAnswer,
      idempotencyKey: record.idempotency_key,
      traceparent: span?.traceparent,
    },
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
  return { reply, effects: record.read_only || isUnsent === true ? 'none' : isAnswered ? 'some' : 'unknown' };
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

const isBlocked = ({ decision }: ResolvedTool): boolean => decision.action === 'block';

interface Consent {
  /** A person's, consumed with the call's record; null: none is needed, or one that stands. */
  readonly approvalId: string | null;
  readonly isApproved: boolean;
}

/** Whether a person has to be asked, and what was said. A call that was asked for is not made without the answer, whatever the policy says by now. */
async function consentTo(
  call: ToolCall,
  tool: ResolvedTool,
  canonical: string,
  deps: CallToolDependencies,
): Promise<Consent | ToolCallOutcome> {
  const { execution } = call;
  if (tool.decision.action === 'allow' && execution?.approvalId === undefined) return NO_CONSENT_NEEDED;
  if (execution === null) return refuse(call, tool, canonical, deps);
  const answer = await gateCall(
    {
      workspaceId: call.workspaceId,
      executionId: execution.id,
      callNumber: execution.callNumber,
      principalId: call.principalId,
      server: tool.entry.tool.server,
      tool: storableText(tool.entry.tool.name),
      connection: tool.connection,
      canonicalArguments: canonical,
      definitionDigest: tool.entry.digest,
      policyReason: tool.decision.reason,
      approvalId: execution.approvalId,
    },
    deps.approvals,
  );
  if (answer.kind === 'pass') return { approvalId: answer.approvalId, isApproved: true };
  if (answer.kind === 'wait') return { ...needsApproval(tool), approval: answer.approval };
  journalRefusal(call, tool, canonical, answer.reply.error.code, deps);
  return { reply: answer.reply, effects: 'none' };
}

const NO_CONSENT_NEEDED: Consent = { approvalId: null, isApproved: false };

function refuse(call: ToolCall, tool: ResolvedTool, canonical: string, deps: CallToolDependencies): ToolCallOutcome {
  const outcome = isBlocked(tool) ? blocked(tool) : needsApproval(tool);
  journalRefusal(call, tool, canonical, isBlocked(tool) ? 'TOOL_BLOCKED' : 'TOOL_NEEDS_APPROVAL', deps);
  const approvalId = call.execution?.approvalId;
  if (approvalId !== undefined)
    deps.approvals
      .void(approvalId, `the tool is blocked (${tool.decision.reason})`)
      .catch((error: unknown) => deps.log.warn({ err: error, approvalId }, 'An approval of a blocked tool could not be cancelled'));
  return outcome;
}

function blocked({ entry, decision }: ResolvedTool): ToolCallOutcome {
  const address = `${entry.tool.server}.${entry.tool.name}`;
  const message = `${address} is blocked by the operator (${decision.reason})`;
  return { reply: failure('TOOL_BLOCKED', message, { tool: address, policy: decision }), effects: 'none' };
}

function needsApproval({ entry, decision }: ResolvedTool): ToolCallOutcome {
  const address = `${entry.tool.server}.${entry.tool.name}`;
  const message = `${address} needs the operator's approval (${decision.reason}). The operator can allow it with POST /policies {"pattern":${JSON.stringify(address)},"action":"allow"}, or mark its server as trusted`;
  return {
    reply: failure('TOOL_NEEDS_APPROVAL', message, { tool: address, policy: { action: decision.action, reason: decision.reason } }),
    effects: 'none',
  };
}

function journalRefusal(
  call: ToolCall,
  tool: ResolvedTool,
  canonical: string,
  code: string,
  deps: CallToolDependencies,
  decided?: string,
): void {
  const record = recordOf(call, tool, canonical, deps.seal, decided);
  deps.recorder.started(record, call.execution?.token).then(
    (started) => {
      if (started !== 'recorded') return;
      deps.recorder.finished({ call_id: record.id, outcome: code, duration_ms: 0, reply_bytes: 0, finished_at: new Date() });
    },
    (error: unknown) => deps.log.warn({ err: error, tool: record.tool }, 'A refused tool call could not be recorded'),
  );
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

function recordOf(
  call: ToolCall,
  { entry, connection, goesBy, decision, readOnly }: ResolvedTool,
  canonical: string,
  seal: Seal,
  decided: string = decision.action,
) {
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
    decision: decided,
    policy_id: decision.policyId,
    connection: goesBy,
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
