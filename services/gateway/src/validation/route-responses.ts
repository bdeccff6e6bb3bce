import { ERROR_CODES, type ErrorCode } from '@code-executor/contracts';
import { z } from 'zod';

/** What every failing answer looks like. */
export interface ErrorAnswer {
  readonly error: { readonly code: ErrorCode; readonly message: string; readonly details?: unknown; readonly requestId: string };
}

const ALWAYS: readonly ErrorCode[] = ['INVALID_REQUEST', 'HOST_NOT_ALLOWED', 'RATE_LIMITED', 'SHUTTING_DOWN', 'INTERNAL'];
const WITH_KEY: readonly ErrorCode[] = ['UNAUTHENTICATED', 'FORBIDDEN'];
export const WITH_BODY: readonly ErrorCode[] = ['MALFORMED_JSON', 'BODY_TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE'];

/** The error answers of a route, by status, each with its codes and what they mean: what `/openapi.json` shows. */
export function errorResponses(codes: readonly ErrorCode[], access: 'key' | 'public' = 'key'): Record<number, z.ZodType> {
  const byStatus = new Map<number, ErrorCode[]>();
  for (const code of new Set([...codes, ...(access === 'key' ? WITH_KEY : []), ...ALWAYS])) {
    const { status } = ERROR_CODES[code];
    if (status !== null) byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return Object.fromEntries([...byStatus].map(([status, group]) => [status, errorSchema(group)]));
}

function errorSchema(codes: readonly ErrorCode[]): z.ZodType {
  const meanings = codes.map((code) => `${code}: ${ERROR_CODES[code].meaning}`).join(' ');
  return z
    .object({
      error: z.object({ code: z.enum(codes), message: z.string(), details: z.unknown().optional(), requestId: z.string() }),
    })
    .describe(meanings);
}
