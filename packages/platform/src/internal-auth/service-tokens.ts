import { decodeJwt, SignJWT } from 'jose';
import { AppError } from '../errors.ts';
import { tokenKey } from './token-key.ts';
import { createTokenVerifier, type ExpectedToken, refused } from './verify-token.ts';

export type ServiceRole = 'gateway' | 'worker';

/** A service of the fleet, as its token names it. */
export interface ServiceIdentity {
  readonly role: ServiceRole;
  /** Of the one process: for logs. */
  readonly name: string;
}

const AUDIENCE = 'mcp-proxy';
const TYPE = 'service+jwt';
const LIFETIME_SECONDS = 60;
/** Signed anew when this little is left, so that none expires under way. */
const RENEW_BEFORE_MS = 20_000;
const NAME = /^[\w.:-]{1,128}$/;

/** Answers the bearer token of a service: the same one for most of a minute, then a new one. */
export function createServiceSigner(options: {
  readonly role: ServiceRole;
  readonly name: string;
  readonly key: string;
  readonly now?: (() => number) | undefined;
}): () => Promise<string> {
  const { role, name, now = Date.now } = options;
  const key = tokenKey(`The internal key of the ${role}`, options.key);
  let current: { readonly token: Promise<string>; readonly renewAtMs: number } | null = null;
  return () => {
    const nowMs = now();
    if (current !== null && nowMs < current.renewAtMs) return current.token;
    const issuedAt = Math.floor(nowMs / 1_000);
    const token = new SignJWT()
      .setProtectedHeader({ alg: 'HS256', typ: TYPE })
      .setAudience(AUDIENCE)
      .setSubject(role)
      .setIssuer(name)
      .setIssuedAt(issuedAt)
      .setExpirationTime(issuedAt + LIFETIME_SECONDS)
      .sign(key);
    current = { token, renewAtMs: (issuedAt + LIFETIME_SECONDS) * 1_000 - RENEW_BEFORE_MS };
    return token;
  };
}

/**
 * Answers who a bearer token belongs to: the service whose key has signed it for this role.
 * @throws AppError UNAUTHENTICATED from what it answers, INVALID_REQUEST at once where a key is too short or both are the same.
 */
export function createServiceVerifier(
  keys: Readonly<Record<ServiceRole, string>>,
  options: { readonly now?: (() => number) | undefined } = {},
): (token: string) => Promise<ServiceIdentity> {
  const verifier = createTokenVerifier(options.now ?? Date.now);
  const expected = new Map<unknown, ExpectedToken>();
  for (const role of ['gateway', 'worker'] as const) {
    const key = tokenKey(`The internal key of the ${role}`, keys[role]);
    expected.set(role, { key, type: TYPE, audience: AUDIENCE, longestSeconds: LIFETIME_SECONDS });
  }
  if (keys.gateway === keys.worker)
    throw new AppError('INVALID_REQUEST', 'The internal keys of gateway and worker are the same; each role needs its own');
  return async (token) => {
    // The role says only which key it has to verify under.
    const role = claimedRole(token);
    const forRole = expected.get(role);
    if (role === null || forRole === undefined) throw refused('names no service');
    const { iss } = await verifier.verify(token, forRole);
    if (iss === undefined || !NAME.test(iss)) throw refused('names no process');
    return { role, name: iss };
  };
}

function claimedRole(token: string): ServiceRole | null {
  try {
    const { sub } = decodeJwt(token);
    return sub === 'gateway' || sub === 'worker' ? sub : null;
  } catch (error) {
    throw refused('is no JWT', error);
  }
}
