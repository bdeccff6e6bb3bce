import { z } from 'zod';
import { pendingApprovalSchema } from './approval.ts';

/** What runs a language. `node` is TypeScript on Node.js itself, always booted cold. */
export const RUNTIMES = ['typescript', 'python', 'node'] as const;
export type Runtime = (typeof RUNTIMES)[number];

export const EXECUTION_STATUSES = ['queued', 'running', 'paused', 'succeeded', 'failed', 'timed_out', 'cancelled'] as const;
export type ExecutionStatus = (typeof EXECUTION_STATUSES)[number];
export const ENDED_STATUSES: readonly ExecutionStatus[] = ['succeeded', 'failed', 'timed_out', 'cancelled'];

/** May it be run again? `unknown`: a dispatched call whose answer is missing. */
export type Effects = 'not_started' | 'none' | 'some' | 'unknown';

export const CODE_LIMIT_BYTES = 256 * 1024;
export const RESULT_LIMIT_BYTES = 10 * 1024 * 1024;
export const TIMEOUT_DEFAULT_MS = 30_000;
export const TIMEOUT_MAXIMUM_MS = 300_000;

/**
 * Body of `POST /execute`. Lengths that have an error code of their own (code, language) are judged by the gateway
 * after this shape fits.
 */
export const executeRequestSchema = z.strictObject({
  code: z.string().min(1, 'must not be empty'),
  language: z.string(),
  timeoutMs: z.int().min(1).max(TIMEOUT_MAXIMUM_MS).optional(),
  args: z.record(z.string(), z.unknown()).optional(),
  files: z.record(z.string(), z.string()).optional(),
  sessionId: z.string().min(1).max(128).optional(),
  typecheck: z.boolean().optional(),
  wait: z.boolean().optional(),
});
export type ExecuteRequest = z.infer<typeof executeRequestSchema>;

export const executionErrorSchema = z.object({
  code: z.string(),
  message: z.string(),
  line: z.int().optional(),
  column: z.int().optional(),
  stack: z.string().optional(),
  details: z.unknown().optional(),
});
export type ExecutionError = z.infer<typeof executionErrorSchema>;

export const toolCallSummarySchema = z.object({
  tool: z.string(),
  outcome: z.string().describe('`ok`, or the error code'),
  durationMs: z.number(),
});
export type ToolCallSummary = z.infer<typeof toolCallSummarySchema>;

const executionMetricsSchema = z.object({
  queueMs: z.number(),
  totalMs: z.number(),
  warm: z.boolean(),
  outputBytes: z.int(),
  outputTokens: z.int().describe('o200k tokens of `output`'),
});
export type ExecutionMetrics = z.infer<typeof executionMetricsSchema>;

/** Answer of `POST /execute` and `GET /executions/:id`. */
export const executionSchema = z.object({
  executionId: z.string(),
  status: z.enum(EXECUTION_STATUSES),
  output: z.string(),
  result: z.unknown(),
  error: executionErrorSchema.nullable(),
  executionTime: z.number().describe('milliseconds inside the sandbox'),
  truncated: z.boolean(),
  droppedBytes: z.int(),
  effects: z.enum(['not_started', 'none', 'some', 'unknown']),
  toolCalls: z.array(toolCallSummarySchema),
  metrics: executionMetricsSchema,
  approval: pendingApprovalSchema.nullable(),
});
export type Execution = z.infer<typeof executionSchema>;

/** One event of an execution's live log. `id` counts from 1 without a gap. */
export type ExecutionEvent =
  | { id: number; type: 'status'; data: { status: ExecutionStatus; at: string } }
  | { id: number; type: 'output'; data: { text: string } }
  | { id: number; type: 'tool_call'; data: ToolCallSummary }
  | { id: number; type: 'ended'; data: { status: ExecutionStatus; error: ExecutionError | null } };
