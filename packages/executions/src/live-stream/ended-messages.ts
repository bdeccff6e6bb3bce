import { createHmac, timingSafeEqual } from 'node:crypto';
import { executionSchema, idPattern } from '@code-executor/contracts';
import { z } from 'zod';
import type { StoredExecution } from '../read-executions.ts';

/** What is told of an end: that it was written and, where that is short, what was written. */
export interface EndedMessages {
  write(executionId: string, stored: StoredExecution | null): string;
  /** null: no message of this kind. `stored` is null where it has to be read from the row. */
  read(message: string): { readonly executionId: string; readonly stored: StoredExecution | null } | null;
}

/** Every gateway gets every message; what is longer is read by the one that wants it. */
const STORED_MAXIMUM_LENGTH = 8_192;

const messageSchema = z.object({
  executionId: z.string().regex(idPattern('exe')),
  stored: z.string().max(STORED_MAXIMUM_LENGTH).optional(),
  mac: z.string().max(100).optional(),
});

/** Of another version of the proxy it may lack something; the row has it then. */
const storedSchema = z.object({
  record: executionSchema
    .omit({ result: true })
    .extend({ resultJson: z.string().nullable(), language: z.string(), createdAt: z.string(), endedAt: z.string() }),
  eventsJson: z.string().nullable(),
}) satisfies z.ZodType<StoredExecution>;

/**
 * Messages on the channel of ends. `key` is known to gateways and MCP proxies alone: what Redis, or whoever got into it, has
 * made up or changed is not taken for what was written. Without a key ends are told by their ids.
 */
export function createEndedMessages(key: string | undefined): EndedMessages {
  const macKey = key === undefined ? null : createHmac('sha256', key).update('ends of executions').digest();
  const macOf = (stored: string, by: Buffer): string => createHmac('sha256', by).update(stored).digest('base64url');
  return {
    write(executionId, stored) {
      const text = macKey === null || stored === null || !isShort(stored) ? null : JSON.stringify(stored);
      if (macKey === null || text === null || text.length > STORED_MAXIMUM_LENGTH) return JSON.stringify({ executionId });
      return JSON.stringify({ executionId, stored: text, mac: macOf(text, macKey) });
    },
    read(message) {
      const told = messageSchema.safeParse(parse(message)).data;
      if (told === undefined) return null;
      const { executionId, stored, mac } = told;
      if (macKey === null || stored === undefined || mac === undefined) return { executionId, stored: null };
      if (!isSame(mac, macOf(stored, macKey))) return { executionId, stored: null };
      const written = storedSchema.safeParse(parse(stored)).data;
      return { executionId, stored: written?.record.executionId === executionId ? written : null };
    },
  };
}

function isSame(one: string, other: string): boolean {
  const [left, right] = [Buffer.from(one), Buffer.from(other)];
  return left.length === right.length && timingSafeEqual(left, right);
}

/** Before it is written out: a result may have ten megabytes. */
const isShort = ({ record, eventsJson }: StoredExecution): boolean =>
  record.output.length + (record.resultJson?.length ?? 0) + (eventsJson?.length ?? 0) < STORED_MAXIMUM_LENGTH;

/** undefined: no JSON. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
