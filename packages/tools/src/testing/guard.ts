import { AppError } from '@code-executor/platform';
import { parseAllowRules } from '../outbound/allow-rules.ts';
import type { Resolve } from '../outbound/guarded-agent.ts';
import { createOutboundHttp } from '../outbound/outbound-http.ts';
import type { GuardedHttp, OutboundHttp, OutboundRequest } from '../outbound/port.ts';

const opened: GuardedHttp[] = [];

/** A guard with this list, closed by `closeGuards`. */
export function guard(options: Partial<Parameters<typeof createOutboundHttp>[0]> & { readonly list?: string } = {}): GuardedHttp {
  const http = createOutboundHttp({ allow: parseAllowRules(options.list ?? ''), strict: false, ...options });
  opened.push(http);
  return http;
}

export async function closeGuards(): Promise<void> {
  await Promise.all(opened.splice(0).map((http) => http.close()));
}

export const get = (http: OutboundHttp, url: string, more: Partial<OutboundRequest> = {}) =>
  http.request({ method: 'GET', url, timeoutMs: 20_000, signal: AbortSignal.timeout(30_000), ...more });

/** The AppError with which something is refused. */
export async function refusal(asked: Promise<unknown>): Promise<AppError> {
  const error = await asked.then(
    () => new Error('nothing was refused'),
    (reason: unknown) => reason,
  );
  if (!(error instanceof AppError)) throw error;
  return error;
}

/** A resolver that knows these names alone. */
export const answersTo =
  (addresses: Readonly<Record<string, readonly string[]>>): Resolve =>
  async (hostname) => {
    const found = addresses[hostname];
    if (found === undefined) throw new Error(`ENOTFOUND ${hostname}`);
    return found.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
  };

/** Names that lead to places which are nobody's business. */
export const NAMES = answersTo({
  localhost: ['127.0.0.1', '::1'],
  'loopback.example': ['127.0.0.53'],
  'private.example': ['10.1.2.3'],
  'metadata.example': ['169.254.169.254'],
  'mapped.example': ['::ffff:127.0.0.1'],
  'nat64.example': ['64:ff9b::7f00:1'],
  'mixed.example': ['93.184.216.34', '192.168.0.7'],
});
