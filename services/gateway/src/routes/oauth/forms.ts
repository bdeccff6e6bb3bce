import { randomBytes, timingSafeEqual } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
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

const COOKIE = 'code_executor_consent';

/** Sets a value that only a page of ours can send back: in the cookie, which other sites' forms do not carry, and in the form. */
export function newFormToken(request: FastifyRequest, reply: FastifyReply, isSecure: boolean): string {
  const token = cookieOf(request) ?? randomBytes(24).toString('base64url');
  reply.header('set-cookie', `${COOKIE}=${token}; Path=/oauth; HttpOnly; SameSite=Strict; Max-Age=900${isSecure ? '; Secure' : ''}`);
  return token;
}

export function isFromOurForm(request: FastifyRequest, token: string | undefined): boolean {
  const cookie = cookieOf(request);
  if (cookie === null || token === undefined || token.length !== cookie.length) return false;
  return timingSafeEqual(Buffer.from(token), Buffer.from(cookie));
}

function cookieOf(request: FastifyRequest): string | null {
  return new RegExp(`(?:^|;\\s*)${COOKIE}=([\\w-]{32})(?:;|$)`).exec(request.headers.cookie ?? '')?.[1] ?? null;
}
