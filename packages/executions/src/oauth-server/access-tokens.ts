import { createHash, randomUUID } from 'node:crypto';
import type { Principal } from '@code-executor/contracts';
import { decodeProtectedHeader, errors, jwtVerify, SignJWT } from 'jose';
import type { Grants, LiveGrant } from './grants.ts';
import type { OAuthOrigin } from './port.ts';
import type { SigningKeys } from './signing-keys.ts';

export const ACCESS_TOKEN_SECONDS = 600;
/** A grant is believed for so long: revoking it takes effect within this, everywhere. */
const BELIEF_MS = 2_000;
/** Tokens whose signature was checked are remembered; what does not fit is checked again. */
const REMEMBERED = 10_000;

interface Verified {
  readonly grantId: string;
  readonly expiresAtMs: number;
}

/** RFC 9068. A token says which grant it is of; what it may do is what the grant's rows say when it is used. */
export function createAccessTokens(deps: {
  readonly keys: SigningKeys;
  readonly grants: Grants;
  readonly isOwnResource: (resource: string) => boolean;
  readonly now: () => number;
}) {
  const { keys, grants, isOwnResource, now } = deps;
  const verified = new Map<string, Verified>();
  const believed = new Map<string, { readonly principal: Principal | null; readonly readAtMs: number }>();

  return {
    async issue(grant: LiveGrant, scope: string, { issuer }: OAuthOrigin): Promise<string> {
      const { id, algorithm, key } = await keys.current();
      const issuedAt = Math.floor(now() / 1000);
      return await new SignJWT({ client_id: grant.clientId, scope, grant: grant.id })
        .setProtectedHeader({ alg: algorithm, kid: id, typ: 'at+jwt' })
        .setIssuer(issuer)
        .setAudience(grant.resource)
        .setSubject(grant.principal.id)
        .setJti(randomUUID())
        .setIssuedAt(issuedAt)
        .setExpirationTime(issuedAt + ACCESS_TOKEN_SECONDS)
        .sign(key);
    },

    async authenticate(token: string): Promise<Principal | null> {
      const digest = createHash('sha256').update(token).digest('base64url');
      const known = verified.get(digest) ?? (await verify(token, digest));
      if (known === null) return null;
      if (known.expiresAtMs > now()) return await principalOf(known.grantId);
      verified.delete(digest);
      return null;
    },

    /** The grant of a token that this server signed, even one that ran out. */
    async grantOf(token: string): Promise<string | null> {
      return (await verifiedClaims(token, Number.MAX_SAFE_INTEGER / 1000))?.grantId ?? null;
    },

    forget(grantId: string): void {
      believed.delete(grantId);
    },
  };

  async function verify(token: string, digest: string): Promise<Verified | null> {
    const claims = await verifiedClaims(token, 0);
    if (claims === null) return null;
    if (verified.size >= REMEMBERED) verified.clear();
    verified.set(digest, claims);
    return claims;
  }

  async function verifiedClaims(token: string, toleranceSeconds: number): Promise<Verified | null> {
    try {
      const { kid, typ } = decodeProtectedHeader(token);
      const key = typeof kid === 'string' && typ === 'at+jwt' ? await keys.find(kid) : null;
      if (key === null) return null;
      const { payload } = await jwtVerify(token, key, {
        algorithms: ['ES256'],
        typ: 'at+jwt',
        requiredClaims: ['exp', 'aud', 'grant'],
        currentDate: new Date(now()),
        clockTolerance: toleranceSeconds,
      });
      const { aud, grant, exp = 0 } = payload;
      if (typeof aud !== 'string' || typeof grant !== 'string' || !isOwnResource(aud)) return null;
      return { grantId: grant, expiresAtMs: exp * 1000 };
    } catch (error) {
      if (error instanceof errors.JOSEError || error instanceof TypeError) return null;
      throw error;
    }
  }

  async function principalOf(grantId: string): Promise<Principal | null> {
    const known = believed.get(grantId);
    if (known !== undefined && now() - known.readAtMs < BELIEF_MS) return known.principal;
    const grant = await grants.findLive(grantId);
    if (believed.size >= REMEMBERED) believed.clear();
    believed.set(grantId, { principal: grant?.principal ?? null, readAtMs: now() });
    return grant?.principal ?? null;
  }
}
