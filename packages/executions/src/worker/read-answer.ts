import { AppError } from '@code-executor/platform';
import { z } from 'zod';

/** What mcp-proxy has answered, in the shape that this worker knows. Throws INTERNAL for another one. */
export function readAnswer<Schema extends z.ZodType>(schema: Schema, answer: unknown): z.infer<Schema> {
  const parsed = schema.safeParse(answer);
  if (parsed.success) return parsed.data;
  throw new AppError('INTERNAL', `mcp-proxy answered in another shape than this worker knows: ${z.prettifyError(parsed.error)}`);
}
