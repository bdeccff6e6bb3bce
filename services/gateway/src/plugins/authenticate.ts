import { type Principal, ROLES, type Role } from '@code-executor/contracts';
import type { Keys } from '@code-executor/executions';
import { AppError } from '@code-executor/platform';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { assertScope } from './scopes.ts';

const REALM = 'Bearer realm="code-executor"';

/** Where a client reads how to be let in (RFC 9728); null: it is let in by key alone. */
type ResourceMetadata = ((request: FastifyRequest) => string) | null;

/** Roles from the least to the most: each may do what those before it may. */
const LADDER: readonly Role[] = [...ROLES].reverse();

/**
 * Judges the key before the body is read. Every route says the least role it needs (`config.access`), or `public`; a route
 * that says nothing needs `admin`.
 */
export function registerAuthentication(app: FastifyInstance, keys: Keys, metadata: ResourceMetadata = null): void {
  app.decorateRequest('principal', null);
  app.addHook('onRequest', async (request, reply) => {
    const access = request.routeOptions.config.access ?? 'admin';
    if (access === 'public' || request.is404) return;
    const principal = await authenticated(request, reply, keys, metadata);
    request.principal = principal;
    if (LADDER.indexOf(principal.role) < LADDER.indexOf(access)) {
      throw new AppError(
        'FORBIDDEN',
        `${request.method} ${request.routeOptions.url ?? ''} needs the role ${access}; this key has the role ${principal.role}.`,
      );
    }
    assertScope(request, principal);
  });
}

/** Who asks. Only for handlers of routes that are not public. */
export function principalOf(request: FastifyRequest): Principal {
  if (!request.principal) throw new AppError('INTERNAL', `${request.url} was reached without a principal`);
  return request.principal;
}

/** The bare key of a request that passed; to ask again, later, whether it still holds. */
export function bareKeyOf(request: FastifyRequest): string {
  return bearerToken(request.headers.authorization) ?? '';
}

async function authenticated(request: FastifyRequest, reply: FastifyReply, keys: Keys, metadata: ResourceMetadata): Promise<Principal> {
  const header = request.headers.authorization;
  const challenge = metadata === null ? REALM : `${REALM}, resource_metadata="${metadata(request)}"`;
  if (header === undefined) {
    // The key of who shows none, where the operator lets such in.
    const anonymous = await keys.authenticate('');
    if (anonymous !== null) return anonymous;
    reply.header('www-authenticate', challenge);
    throw new AppError('UNAUTHENTICATED', 'No key was given: send `Authorization: Bearer <key>`.');
  }
  const token = bearerToken(header);
  if (token === null) {
    reply.header('www-authenticate', `${challenge}, error="invalid_request"`);
    throw new AppError('UNAUTHENTICATED', 'The Authorization header is not of the form `Bearer <key>`.');
  }
  const principal = await keys.authenticate(token);
  if (!principal) {
    // One sentence for all three: which of them it is would tell a stranger that a key once worked.
    reply.header('www-authenticate', `${challenge}, error="invalid_token"`);
    throw new AppError('UNAUTHENTICATED', 'This key is unknown, expired or revoked.');
  }
  return principal;
}

export function bearerToken(header: string | undefined): string | null {
  return /^bearer +([\w.~+/=-]{1,4096}) *$/i.exec(header ?? '')?.[1] ?? null;
}
