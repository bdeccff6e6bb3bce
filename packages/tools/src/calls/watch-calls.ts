import { type Effects, knownErrorCode, type PolicyAction } from '@code-executor/contracts';
import type { Span } from '@code-executor/platform';
import type { callTool } from '../call-tool.ts';
import { printable } from '../sources/mcp/stderr-log.ts';

/** One per tool call, however it ended: for the log and the metrics. Arguments and replies are not in it. */
export interface ToolCallEvent {
  /** null: a call without code. */
  readonly executionId: string | null;
  readonly callNumber: number | null;
  /** null: it is not traced. */
  readonly traceId: string | null;
  readonly workspaceId: string;
  readonly principalId: string;
  /** null: there is no such tool. */
  readonly server: string | null;
  /** As the caller spelt it where there is no such tool. */
  readonly tool: string;
  /** null: it did not come to one. */
  readonly decision: PolicyAction | null;
  /** `ok`, or the error's code. */
  readonly outcome: string;
  readonly effects: Exclude<Effects, 'not_started'>;
  readonly durationMs: number;
  readonly argumentBytes: number;
  readonly replyBytes: number;
}

/** Filled as a call gets on. */
export interface CallTrace {
  server: string | null;
  tool: string | null;
  decision: PolicyAction | null;
  argumentBytes: number;
  replyBytes: number;
}

/** The same act, with an event for each call and, where anything is traced, a span. */
export function watchCalls(call: typeof callTool, onCall: (event: ToolCallEvent) => void): typeof callTool {
  return async (toolCall, deps, signal) => {
    const span = deps.tracing?.start('tool call', { kind: 'server', parent: toolCall.traceparent });
    const trace: CallTrace = { server: null, tool: null, decision: null, argumentBytes: 0, replyBytes: 0 };
    const began = performance.now();
    const outcome = await call({ ...toolCall, traceparent: span?.traceparent, trace }, deps, signal);
    const event: ToolCallEvent = {
      executionId: toolCall.execution?.id ?? null,
      callNumber: toolCall.execution?.callNumber ?? null,
      traceId: span?.traceId ?? null,
      workspaceId: toolCall.workspaceId,
      principalId: toolCall.principalId,
      ...trace,
      tool: trace.tool ?? printable(toolCall.address, 200),
      outcome: outcome.reply.ok ? 'ok' : outcome.reply.error.code,
      effects: outcome.effects,
      durationMs: Math.round((performance.now() - began) * 1_000) / 1_000,
    };
    if (span !== undefined) endSpan(span, event, trace.tool);
    // Whoever counts and logs calls holds up no program.
    setImmediate(onCall, event);
    return outcome;
  };
}

/** The tool is named where it is one that we know: otherwise its name is whatever a program wrote. */
function endSpan(span: Span, event: ToolCallEvent, tool: string | null): void {
  const code = event.outcome === 'ok' ? null : knownErrorCode(event.outcome);
  span.set({
    'code_executor.execution.id': event.executionId,
    'code_executor.tool.call_number': event.callNumber,
    'code_executor.tool.server': event.server,
    'code_executor.tool.name': tool,
    'code_executor.tool.decision': event.decision,
    'code_executor.tool.outcome': code ?? 'ok',
    'code_executor.tool.effects': event.effects,
  });
  span.end({ error: code });
}
