import type { ExecutionRecord } from '@code-executor/executions';
import type { FastifyReply } from 'fastify';

/**
 * The JSON of an execution as `POST /execute` answers it. The result is spliced in as the raw text it was recorded as: up to
 * 10 MB that need neither be parsed nor written again, and no number loses digits. `executions` has checked that it is one
 * JSON value.
 */
export function serializeExecution(record: ExecutionRecord): string {
  return `${serializedFields(record)}}`;
}

/** The same with what history adds. */
export function serializeExecutionWithHistory(record: ExecutionRecord): string {
  const { language, createdAt, endedAt } = record;
  return `${serializedFields(record)},${JSON.stringify({ language, createdAt, endedAt }).slice(1)}`;
}

function serializedFields(record: ExecutionRecord): string {
  const { executionId, status, output, resultJson, error, executionTime, truncated, droppedBytes } = record;
  const { effects, toolCalls, metrics, approval } = record;
  const head = JSON.stringify({ executionId, status, output });
  const tail = JSON.stringify({ error, executionTime, truncated, droppedBytes, effects, toolCalls, metrics, approval });
  return `${head.slice(0, -1)},"result":${resultJson ?? 'null'},${tail.slice(1, -1)}`;
}

/** Sends a JSON text as it is, past the serializer of the route's schema. */
export function sendRaw(reply: FastifyReply, json: string): FastifyReply {
  return reply.header('content-type', 'application/json; charset=utf-8').send(json);
}
