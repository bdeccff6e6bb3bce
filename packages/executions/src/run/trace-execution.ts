import type { Span, Tracing } from '@code-executor/platform';
import type { ExecutionOutcome } from '../execution.ts';
import type { RunnableExecution } from './run-execution.ts';

/**
 * The span of one execution where it is run, from the moment that its claim was asked for. What came before, its wait in
 * the queue and the claim, is known only now and told along with it.
 */
export function traceTaken(
  claimed: RunnableExecution,
  claim: { readonly askedAtMs: number; readonly workerId: string },
  tracing: Tracing,
): Span {
  const { id, language, createdAt, traceparent, token } = claimed;
  const { askedAtMs } = claim;
  const waiting = tracing.start('queue wait', {
    parent: traceparent,
    startedAt: createdAt,
    attributes: { 'code_executor.execution.id': id },
  });
  waiting.end({ endedAt: new Date(Math.max(createdAt.getTime(), performance.timeOrigin + askedAtMs)) });
  const span = tracing.start('execution', {
    kind: 'consumer',
    parent: traceparent,
    startedAt: askedAtMs,
    attributes: {
      'code_executor.execution.id': id,
      'code_executor.execution.language': language,
      'code_executor.claim.token': token,
      'code_executor.worker.id': claim.workerId,
    },
  });
  tracing.start('claim', { parent: span.traceparent, startedAt: askedAtMs }).end();
  return span;
}

/** Codes and counts alone: what the program said is nobody's but its caller's. */
export function endTaken(span: Span, { status, error, effects, warm, toolCalls }: ExecutionOutcome): void {
  span.set({
    'code_executor.execution.status': status,
    'code_executor.execution.effects': effects,
    'code_executor.execution.tool_calls': toolCalls.length,
    'code_executor.sandbox.warm': warm,
  });
  span.end({ error: error?.code });
}

/** Does something within a span, where anything is traced at all. */
export async function traced<Result>(
  tracing: Tracing | null | undefined,
  name: string,
  parent: string | null | undefined,
  act: (span: Span | null) => Promise<Result>,
): Promise<Result> {
  if (!tracing) return await act(null);
  const span = tracing.start(name, { parent });
  try {
    return await act(span);
  } finally {
    span.end();
  }
}
