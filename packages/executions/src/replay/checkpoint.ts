import { hash } from 'node:crypto';
import { type Effects, type ExecutionEvent, type ToolCallReply, toolCallSummarySchema } from '@code-executor/contracts';
import { z } from 'zod';

/** One call as it was answered the first time. */
export interface RecordedCall {
  readonly tool: string;
  /** SHA-256 of its arguments as JSON. */
  readonly digest: string;
  /** null: it was not answered before the checkpoint. */
  readonly answer: {
    readonly reply: ToolCallReply;
    readonly effects: Exclude<Effects, 'not_started'>;
    readonly durationMs: number;
    /** Its place among all answers, from 0. */
    readonly order: number;
  } | null;
}

/** What a paused execution leaves, so that another sandbox can be brought to where it stood. */
export interface Checkpoint {
  readonly version: 1;
  readonly seed: string;
  readonly clock: Readonly<Record<string, readonly number[]>>;
  readonly calls: readonly RecordedCall[];
  readonly questions: readonly RecordedCall[];
  /** What it had printed: how many UTF-16 units, and as much of their start as is compared. */
  readonly output: { readonly length: number; readonly head: string };
  readonly events: readonly ExecutionEvent[];
  /** Approvals that nobody had decided on. */
  readonly waitsFor: readonly string[];
}

/** Above this an execution is not replayed: its checkpoint has to be written, sealed, each time that it pauses. */
export const CHECKPOINT_LIMIT_BYTES = 4 * 1024 * 1024;

const replySchema = z.union([
  z.looseObject({ ok: z.literal(true), value: z.unknown() }),
  z.looseObject({ ok: z.literal(false), error: z.looseObject({ code: z.string(), message: z.string() }) }),
]);
const recordedSchema = z.strictObject({
  tool: z.string(),
  digest: z.string(),
  answer: z
    .strictObject({ reply: replySchema, effects: z.enum(['none', 'some', 'unknown']), durationMs: z.number(), order: z.int().min(0) })
    .nullable(),
});
const eventSchema = z.discriminatedUnion('type', [
  z.strictObject({
    id: z.int(),
    type: z.literal('status'),
    data: z.strictObject({ status: z.enum(['queued', 'running', 'paused']), at: z.string() }),
  }),
  z.strictObject({ id: z.int(), type: z.literal('output'), data: z.strictObject({ text: z.string() }) }),
  z.strictObject({ id: z.int(), type: z.literal('tool_call'), data: toolCallSummarySchema }),
]);
const checkpointSchema = z.strictObject({
  version: z.literal(1),
  seed: z.string().regex(/^[0-9a-f]{64}$/),
  clock: z.record(z.string(), z.array(z.number())),
  calls: z.array(recordedSchema).max(1_000),
  questions: z.array(recordedSchema).max(1_000),
  output: z.strictObject({ length: z.int().min(0), head: z.string() }),
  events: z.array(eventSchema),
  waitsFor: z.array(z.string()).max(1_000),
});

/** null: none that this version can replay. */
export function readCheckpoint(text: string): Checkpoint | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
  const parsed = checkpointSchema.safeParse(value);
  return parsed.success ? (parsed.data as unknown as Checkpoint) : null;
}

/** Of arguments that came over the channel: plain JSON, whose members stay in the order in which the program writes them. */
export const argumentDigest = (args: unknown): string => hash('sha256', JSON.stringify(args) ?? 'null');
