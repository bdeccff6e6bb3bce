import { createHash } from 'node:crypto';
import { DEFAULT_WORKSPACE_ID, newId, type Principal, ROLES, type Role } from '@code-executor/contracts';
import { AppError, type Database, type Logger, messageOf } from '@code-executor/platform';
import { createRemoteJWKSet, customFetch, decodeJwt, errors, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from 'jose';
import { z } from 'zod';
import type { ExecutionTables } from '../store/tables.ts';
import { SCOPES } from './scopes.ts';

/** Of a whole exchange: the guard's limit is the smaller one. */
const FETCH_TIMEOUT_MS = 10_000;
/** A provider that cannot be read is asked again after this. */
const RETRY_MS = 10_000;
const BELIEF_MS = 2_000;
const REMEMBERED = 10_000;
const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'];

export interface ExternalIssuer {
  readonly issuer: string;
  readonly audience: string;
  /** Claim with a text or a list of them; a dot goes deeper (`realm_access.roles`). */
  readonly roleClaim: string;
  /** What a value of the claim means here. */
  readonly roles: ReadonlyMap<string, Role>;
  /** For who has no value that means anything; null: not let in. */
  readonly defaultRole: Role | null;
}

/** Reads a document of the provider, judged, bounded and without redirects. @throws AppError. */
export type ReadDocument = (url: string, signal?: AbortSignal) => Promise<{ readonly status: number; readonly text: string }>;

const discoverySchema = z.looseObject({ issuer: z.string(), jwks_uri: z.url({ protocol: /^https?$/ }) });

/** Access tokens of the operator's own identity provider: verified by its published keys, its groups read as roles. */
export function createExternalTokens(options: {
  readonly db: Database;
  readonly log: Logger;
  readonly external: ExternalIssuer;
  readonly read: ReadDocument;
  readonly now?: () => number;
}) {
  const { db, log, external, read, now = Date.now } = options;
  const query = db.query<ExecutionTables>();
  const believed = new Map<string, { readonly principal: Principal | null; readonly untilMs: number }>();
  let keySet: Promise<JWTVerifyGetKey> | null = null;

  return {
    /** Whether a token says of itself that it comes from there. */
    claims(token: string): boolean {
      try {
        return decodeJwt(token).iss === external.issuer;
      } catch (error) {
        if (error instanceof errors.JOSEError || error instanceof TypeError) return false;
        throw error;
      }
    },

    async authenticate(token: string): Promise<Principal | null> {
      const digest = createHash('sha256').update(token).digest('base64url');
      const known = believed.get(digest);
      if (known !== undefined && known.untilMs > now()) return known.principal;
      const payload = await verify(token);
      const role = payload === null ? null : roleOf(payload);
      const principal = payload?.sub === undefined || role === null ? null : await principalFor(payload, payload.sub, role);
      if (believed.size >= REMEMBERED) believed.clear();
      believed.set(digest, { principal, untilMs: Math.min(now() + BELIEF_MS, (payload?.exp ?? Number.MAX_SAFE_INTEGER) * 1000) });
      return principal;
    },
  };

  async function verify(token: string): Promise<JWTPayload | null> {
    try {
      const { payload } = await jwtVerify(token, await keys(), {
        issuer: external.issuer,
        audience: external.audience,
        algorithms: ALGORITHMS,
        requiredClaims: ['exp', 'sub'],
        clockTolerance: 30,
        currentDate: new Date(now()),
      });
      return payload;
    } catch (error) {
      if (error instanceof errors.JWKSTimeout || error instanceof AppError)
        log.warn({ issuer: external.issuer, reason: messageOf(error) }, 'The identity provider cannot be read');
      if (error instanceof errors.JOSEError || error instanceof AppError) return null;
      throw error;
    }
  }

  function keys(): Promise<JWTVerifyGetKey> {
    keySet ??= discover().catch((error: unknown) => {
      setTimeout(() => {
        keySet = null;
      }, RETRY_MS).unref();
      throw error;
    });
    return keySet;
  }

  async function discover(): Promise<JWTVerifyGetKey> {
    const base = external.issuer.replace(/\/$/, '');
    const { status, text } = await read(`${base}/.well-known/openid-configuration`);
    const parsed = discoverySchema.safeParse(jsonOf(text));
    if (status !== 200 || !parsed.success || parsed.data.issuer !== external.issuer) {
      throw new AppError('UPSTREAM_UNAVAILABLE', `${base} does not describe itself as the issuer ${external.issuer}`);
    }
    const jwksUrl = new URL(parsed.data.jwks_uri);
    if (jwksUrl.protocol !== 'https:' && jwksUrl.origin !== new URL(external.issuer).origin) {
      throw new AppError('UPSTREAM_UNAVAILABLE', `The keys of ${external.issuer} lie at an address without https`);
    }
    return createRemoteJWKSet(jwksUrl, {
      timeoutDuration: FETCH_TIMEOUT_MS,
      cooldownDuration: 30_000,
      cacheMaxAge: 600_000,
      async [customFetch](url: string, { signal }: { readonly signal?: AbortSignal }) {
        const { status, text } = await read(url, signal);
        return new Response(text, { status, headers: { 'content-type': 'application/json' } });
      },
    });
  }

  function roleOf(payload: JWTPayload): Role | null {
    let value: unknown = payload;
    for (const part of external.roleClaim.split('.')) {
      value =
        typeof value === 'object' && value !== null && Object.hasOwn(value, part) ? (value as Record<string, unknown>)[part] : undefined;
    }
    const names = (Array.isArray(value) ? value : typeof value === 'string' ? value.split(' ') : []).filter(
      (name) => typeof name === 'string',
    );
    const roles = names.flatMap((name) => external.roles.get(name) ?? []);
    return SCOPES.findLast((role) => roles.includes(role)) ?? external.defaultRole;
  }

  /** A row of `api_keys` that no key opens, so that the principal has a name and can be revoked wherever keys are. */
  async function principalFor(payload: JWTPayload, subject: string, role: Role): Promise<Principal | null> {
    const digest = `oidc:${createHash('sha256')
      .update(JSON.stringify([external.issuer, subject]))
      .digest('hex')}`;
    const found = await query
      .selectFrom('api_keys')
      .select(['id', 'workspace_id', 'role', 'revoked_at', 'name'])
      .where('digest', '=', digest)
      .executeTakeFirst();
    if (found?.revoked_at) return null;
    if (found !== undefined) {
      if (found.role !== role) await query.updateTable('api_keys').set({ role }).where('id', '=', found.id).execute();
      return { id: found.id, workspaceId: found.workspace_id, role, name: found.name };
    }
    const made = {
      id: newId('key', now()),
      workspace_id: DEFAULT_WORKSPACE_ID,
      digest,
      name: `${nameOf(payload, subject)} (OIDC)`,
      role,
      created_by: null,
      created_at: new Date(now()),
      expires_at: null,
      revoked_at: null,
    };
    const { numInsertedOrUpdatedRows } = await query
      .insertInto('api_keys')
      .values(made)
      .onConflict((conflict) => conflict.column('digest').doNothing())
      .executeTakeFirst();
    // Another gateway was quicker.
    if (numInsertedOrUpdatedRows === 0n) return await principalFor(payload, subject, role);
    log.info({ principalId: made.id, name: made.name, role }, 'A subject of the identity provider was seen for the first time');
    return { id: made.id, workspaceId: made.workspace_id, role, name: made.name };
  }
}

function nameOf(payload: JWTPayload, subject: string): string {
  const given = [payload.preferred_username, payload.email, payload.name, subject].find(
    (value) => typeof value === 'string' && value !== '',
  );
  return String(given)
    .replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, '')
    .slice(0, 80);
}

/** undefined: it is none. */
function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** `platform-admins=admin,developers=agent`; a role's own name means itself. Throws INVALID_REQUEST. */
export function parseRoleMapping(text: string): ReadonlyMap<string, Role> {
  const mapping = new Map<string, Role>(ROLES.map((role) => [role, role]));
  for (const pair of text.split(',').filter((part) => part.trim() !== '')) {
    const [value = '', role = ''] = pair.split('=').map((part) => part.trim());
    const known = ROLES.find((name) => name === role);
    if (value === '' || known === undefined) {
      throw new AppError(
        'INVALID_REQUEST',
        `EXECUTOR_OIDC_ROLES has ${JSON.stringify(pair.trim())}; each part is value=role, with a role of ${ROLES.join(', ')}.`,
      );
    }
    mapping.set(value, known);
  }
  return mapping;
}
