import type { Audit } from '@code-executor/tools';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

/** What the record says of a route. */
export interface RouteAudit {
  /** A thing and what was done to it, such as `policy.create`. */
  readonly type: `${string}.${string}`;
  /** What was asked for; never a secret. */
  readonly details?: ((request: FastifyRequest) => unknown) | undefined;
}

/** Acts are recorded before they are answered, for so long at most. */
const WAIT_MS = 2_000;
/** Refusals of one principal that are recorded one by one in a minute; the others are counted. */
const REFUSALS_PER_MINUTE = 60;
const MINUTE_MS = 60_000;

const VERBS: Readonly<Record<string, string>> = { POST: 'create', PUT: 'replace', PATCH: 'change', DELETE: 'remove' };

/**
 * Every act of administration goes into the record, whatever came of it: routes for operators and admins that change
 * something, those that say `audit` in their configuration, and every request that a principal was not allowed to make.
 */
export function registerAudit(app: FastifyInstance, audit: Pick<Audit, 'record'>): void {
  const refusals = createRefusalCounter();
  app.addHook('onSend', async (request, reply) => {
    const { principal } = request;
    if (principal === null || request.is404) return;
    const outcome = request.errorCode ?? (reply.statusCode < 400 ? 'ok' : 'INTERNAL');
    const isRefused = outcome === 'FORBIDDEN';
    const act = actOf(request);
    if (act === null && !isRefused) return;
    const skipped = isRefused ? refusals.count(principal.id) : 0;
    if (skipped === null) return;
    const written = audit.record({
      type: act?.type ?? 'access.refused',
      principal,
      target: targetOf(request, reply) ?? (act === null ? routeOf(request) : null),
      server: parameter(request, 'server') ?? null,
      tool: parameter(request, 'tool') ?? null,
      requestId: request.id,
      outcome,
      details: detailsOf(request, act, isRefused, skipped),
    });
    if (!isRefused) await Promise.race([written, new Promise((resolve) => setTimeout(resolve, WAIT_MS).unref())]);
  });
}

function actOf(request: FastifyRequest): RouteAudit | null {
  const { audit, access = 'admin' } = request.routeOptions.config;
  if (audit === false) return null;
  if (audit !== undefined) return audit;
  const verb = VERBS[request.method];
  if (verb === undefined || access === 'agent' || access === 'public') return null;
  const [, resource = 'service', ...rest] = (request.routeOptions.url ?? '').split('/');
  const last = rest.at(-1);
  return { type: `${singular(resource)}.${last === undefined || last.startsWith(':') || last === '*' ? verb : last.replaceAll('-', '_')}` };
}

/** `policies` → `policy`, `keys` → `key`. */
const singular = (resource: string): string => resource.replace(/ies$/, 'y').replace(/s$/, '').replaceAll('-', '_');

const routeOf = (request: FastifyRequest): string => `${request.method} ${request.routeOptions.url ?? ''}`;

/** What was made, or what the path names. */
function targetOf(request: FastifyRequest, reply: FastifyReply): string | null {
  const location = reply.getHeader('location');
  if (typeof location === 'string') return location.split('/').at(-1) ?? null;
  const named = ['id', 'slug', 'name', 'sessionId'].map((name) => parameter(request, name)).find((value) => value !== undefined);
  if (named !== undefined) return named;
  const [server, tool] = [parameter(request, 'server'), parameter(request, 'tool')];
  return server === undefined ? null : tool === undefined ? server : `${server}.${tool}`;
}

function parameter(request: FastifyRequest, name: string): string | undefined {
  const value = (request.params as Readonly<Record<string, unknown>> | undefined)?.[name];
  return typeof value === 'string' ? value : undefined;
}

function detailsOf(request: FastifyRequest, act: RouteAudit | null, isRefused: boolean, skipped: number): unknown {
  if (isRefused) return { route: routeOf(request), ...(skipped > 0 ? { refusedBefore: skipped } : {}) };
  // What did not fit its schema may be anything.
  return request.errorCode === 'INVALID_REQUEST' || request.errorCode === 'MALFORMED_JSON' ? null : act?.details?.(request);
}

/** One who knocks at every door all day must not fill the record. */
function createRefusalCounter(): { count(principalId: string): number | null } {
  const windows = new Map<string, { until: number; recorded: number; skipped: number }>();
  return {
    count(principalId) {
      const now = performance.now();
      let window = windows.get(principalId);
      let carried = 0;
      if (window === undefined || now > window.until) {
        carried = window?.skipped ?? 0;
        if (windows.size > 10_000) windows.clear();
        window = { until: now + MINUTE_MS, recorded: 0, skipped: 0 };
        windows.set(principalId, window);
      }
      if (window.recorded >= REFUSALS_PER_MINUTE) {
        window.skipped += 1;
        return null;
      }
      window.recorded += 1;
      return carried;
    },
  };
}
