import { executionErrorSchema, idPattern, toolCallSummarySchema } from '@code-executor/contracts';
import { CHECKPOINT_LIMIT_BYTES, type ExecutionLedger, type WorkerReport } from '@code-executor/executions';
import { z } from 'zod';

/**
 * Bodies of the ledger's routes: the JSON of the ledger's types, dates as ISO strings. They come from workers, which run
 * programs of strangers: everything that reaches a row is checked here.
 */
const count = z.int().min(0);
const milliseconds = z.number().min(0);
const effects = z.enum(['not_started', 'none', 'some', 'unknown']);
const id = z.string().min(1).max(64);

export const claimBody = z.strictObject({
  executionId: id,
  workerId: z.string().min(1).max(128),
  takesSessions: z.boolean().optional(),
  isAhead: z.boolean().optional(),
});

const reportSchema = z.strictObject({
  workerId: z.string().regex(/^[\w.:-]{1,128}$/),
  slots: z.int().min(0).max(100_000),
  running: count,
  draining: z.boolean(),
  pool: z.strictObject({ hits: count, misses: count, warm: z.record(z.string().max(64), count) }),
}) satisfies z.ZodType<WorkerReport>;

const held = z.strictObject({ executionId: id, token: z.int().min(0) });
export const renewBody = z.strictObject({ report: reportSchema, held: z.array(held).max(10_000) });

export const pauseBody = z.strictObject({
  token: z.int().min(1),
  workerId: z.string().min(1).max(128),
  pause: z
    .strictObject({
      checkpoint: z.string().max(CHECKPOINT_LIMIT_BYTES).nullable(),
      waitsFor: z.array(z.string().regex(idPattern('apr'))).max(1_000),
      // A worker of the version before does not say them.
      executionMs: milliseconds.default(0),
      effects: effects.default('unknown'),
    })
    .nullable(),
});
export const releaseBody = z.strictObject({ token: z.int().min(1), workerId: z.string().min(1).max(128) });

const executionError = executionErrorSchema.extend({ code: z.string().max(200) }).strict();
const toolCallSummary = toolCallSummarySchema.extend({ durationMs: milliseconds }).strict();
const status = z.enum(['queued', 'running', 'paused', 'succeeded', 'failed', 'timed_out', 'cancelled']);

const endedSchema = z.strictObject({
  id,
  token: z.int().min(0),
  endedAt: z.iso.datetime().transform((text) => new Date(text)),
  queueMs: milliseconds,
  totalMs: milliseconds,
  outputTokens: count,
  outcome: z.strictObject({
    status: z.enum(['succeeded', 'failed', 'timed_out', 'cancelled']),
    error: executionError.nullable(),
    resultJson: z.string().nullable(),
    output: z.string(),
    truncated: z.boolean(),
    droppedBytes: count,
    outputBytes: count,
    executionTimeMs: milliseconds,
    effects,
    toolCalls: z.array(toolCallSummary).max(10_000),
    warm: z.boolean().nullable(),
  }),
  eventsJson: z.string().nullable(),
}) satisfies z.ZodType<Parameters<ExecutionLedger['finish']>[0]>;
const sessionSchema = z.discriminatedUnion('state', [
  z.strictObject({ state: z.literal('kept') }),
  z.strictObject({ state: z.literal('none') }),
  z.strictObject({ state: z.literal('lost'), reason: z.string().max(300) }),
]);
export const finishBody = z.strictObject({ ended: endedSchema, session: sessionSchema.optional() });

const eventId = z.int().min(1);
const eventSchema = z.discriminatedUnion('type', [
  z.strictObject({ id: eventId, type: z.literal('status'), data: z.strictObject({ status, at: z.string().max(64) }) }),
  z.strictObject({ id: eventId, type: z.literal('output'), data: z.strictObject({ text: z.string() }) }),
  z.strictObject({ id: eventId, type: z.literal('tool_call'), data: toolCallSummary }),
  z.strictObject({ id: eventId, type: z.literal('ended'), data: z.strictObject({ status, error: executionError.nullable() }) }),
]);
export const eventsBody = z.strictObject({ token: z.int().min(0), events: z.array(eventSchema).max(100_000) });
