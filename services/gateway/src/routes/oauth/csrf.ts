import { randomBytes, timingSafeEqual } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';

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
