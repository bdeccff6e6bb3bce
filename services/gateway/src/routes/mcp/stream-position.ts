import type { ProgressToken, RequestId } from '@modelcontextprotocol/server';
import { z } from 'zod';

/**
 * Where a stream stands, as the id of its events: all that is needed to go on from there at any replica, since the events
 * of executions are kept. It comes back from clients, so it says nothing that the asking principal is not judged for again.
 */
export interface StreamPosition {
  readonly executionId: string;
  /** The last event of the execution that was told. */
  readonly afterEvent: number;
  readonly requestId: RequestId;
  readonly progressToken: ProgressToken | null;
  readonly logLevel: string | null;
}

const token = z.union([z.string().max(200), z.number()]);
const positionSchema = z.tuple([z.string().max(64), z.int().min(0), token, token.nullable(), z.string().max(20).nullable()]);
const LENGTH_LIMIT = 1_024;

export const eventIdOf = ({ executionId, afterEvent, requestId, progressToken, logLevel }: StreamPosition): string =>
  Buffer.from(JSON.stringify([executionId, afterEvent, requestId, progressToken, logLevel])).toString('base64url');

/** null: it is no event id of ours. */
export function positionOf(eventId: string): StreamPosition | null {
  if (eventId.length > LENGTH_LIMIT || !/^[\w-]+$/.test(eventId)) return null;
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(eventId, 'base64url').toString('utf8'));
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
  const parsed = positionSchema.safeParse(value);
  if (!parsed.success) return null;
  const [executionId, afterEvent, requestId, progressToken, logLevel] = parsed.data;
  return { executionId, afterEvent, requestId, progressToken, logLevel };
}
