import { EXECUTION_STATUSES, type ExecutionEvent } from '@code-executor/contracts';
import { z } from 'zod';

/** The longest text of one output event is 8 K units; what is longer was not made by us. */
const TEXT_MAXIMUM = 64 * 1024;
const id = z.int().min(1);

/** What a worker may say of a run under way. Its end is in its row and nowhere else. */
const liveEventSchema = z.discriminatedUnion('type', [
  z.strictObject({
    id,
    type: z.literal('status'),
    data: z.strictObject({ status: z.enum(EXECUTION_STATUSES), at: z.string().max(40) }),
  }),
  z.strictObject({ id, type: z.literal('output'), data: z.strictObject({ text: z.string().max(TEXT_MAXIMUM) }) }),
  z.strictObject({
    id,
    type: z.literal('tool_call'),
    data: z.strictObject({ tool: z.string().max(1_000), outcome: z.string().max(200), durationMs: z.number() }),
  }),
]);

export type LiveEvent = Exclude<ExecutionEvent, { readonly type: 'ended' }>;

/** null: nothing that a worker of ours publishes. */
export function parseLiveEvent(json: string): LiveEvent | null {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
  return liveEventSchema.safeParse(value).data ?? null;
}

export const isLiveEvent = (event: ExecutionEvent): event is LiveEvent => liveEventSchema.safeParse(event).success;

export const liveStreamKey = (executionId: string): string => `executor:live:${executionId}`;
