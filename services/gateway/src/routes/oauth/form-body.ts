import type { FastifyInstance } from 'fastify';
import { z } from 'zod';

const BODY_LIMIT_BYTES = 32 * 1024;

/** Forms, for the routes of OAuth alone: JSON stays the only body everywhere else. A field that comes twice is refused. */
export function acceptForms(app: FastifyInstance): void {
  app.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'string', bodyLimit: BODY_LIMIT_BYTES },
    (_request, body, done) => {
      done(null, fieldsOf(String(body)));
    },
  );
}

/** null: a field comes twice. */
function fieldsOf(text: string): Record<string, string> | null {
  const fields = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(text)) {
    if (fields.has(name)) return null;
    fields.set(name, value);
  }
  return Object.fromEntries(fields);
}

const fieldsSchema = z.record(z.string(), z.string());

/** null: no form, or one with a field twice. */
export function readFields(value: unknown): Readonly<Record<string, string | undefined>> | null {
  const parsed = fieldsSchema.safeParse(value);
  return parsed.success ? parsed.data : null;
}
