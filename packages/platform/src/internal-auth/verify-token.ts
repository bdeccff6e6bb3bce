import { errors, type JWTPayload, jwtVerify } from 'jose';
import { AppError } from '../errors.ts';

/** Clocks of the fleet's machines may differ by so much. */
const SKEW_SECONDS = 5;
/** Tokens that were verified are known again; a grant is shown with every tool call. */
const MOST_REMEMBERED = 5_000;

export interface ExpectedToken {
  readonly key: Uint8Array;
  /** `typ` of its header: a grant is no role token, even where their keys were the same. */
  readonly type: string;
  readonly audience: string;
  /** From `iat` to `exp`. */
  readonly longestSeconds: number;
}

interface Verified {
  readonly payload: JWTPayload;
  readonly expiresAtMs: number;
}

export interface TokenVerifier {
  /** @throws AppError UNAUTHENTICATED */
  verify(token: string, expected: ExpectedToken): Promise<JWTPayload>;
  /** A token that was signed here just now needs no verifying. */
  remember(token: string, payload: JWTPayload & { readonly exp: number }, expected: ExpectedToken): void;
}

/** Verifies compact JWTs under HS256 and nothing else. A token that was verified once costs a look-up until it expires. */
export function createTokenVerifier(now: () => number): TokenVerifier {
  const known = new Map<string, Verified & { readonly expected: ExpectedToken }>();
  return {
    async verify(token, expected) {
      const found = known.get(token);
      if (found !== undefined && found.expected === expected) {
        if (found.expiresAtMs > now()) return found.payload;
        known.delete(token);
        throw refused('has expired');
      }
      const verified = await verify(token, expected, now());
      keep(token, verified, expected);
      return verified.payload;
    },
    remember: (token, payload, expected) => keep(token, { payload, expiresAtMs: (payload.exp + SKEW_SECONDS) * 1_000 }, expected),
  };

  function keep(token: string, verified: Verified, expected: ExpectedToken): void {
    if (known.size >= MOST_REMEMBERED) forgetOldest(known);
    known.set(token, { ...verified, expected });
  }
}

async function verify(token: string, { key, type, audience, longestSeconds }: ExpectedToken, nowMs: number): Promise<Verified> {
  try {
    const { payload } = await jwtVerify(token, key, {
      algorithms: ['HS256'],
      typ: type,
      audience,
      requiredClaims: ['iat', 'exp', 'sub'],
      clockTolerance: SKEW_SECONDS,
      // Refuses an `iat` of the future as well, with the same tolerance.
      maxTokenAge: longestSeconds,
      currentDate: new Date(nowMs),
    });
    const { iat = 0, exp = 0 } = payload;
    if (exp - iat > longestSeconds) throw refused(`is valid for ${exp - iat} s; ${longestSeconds} s are allowed`);
    return { payload, expiresAtMs: (exp + SKEW_SECONDS) * 1_000 };
  } catch (error) {
    if (error instanceof errors.JOSEError) throw refused(REASONS[error.code] ?? 'is not valid here', error);
    throw error;
  }
}

/** Nothing of the token itself: what is refused may be a secret that was sent to the wrong place. */
const REASONS: Readonly<Record<string, string>> = {
  ERR_JWT_EXPIRED: 'has expired',
  ERR_JWS_SIGNATURE_VERIFICATION_FAILED: 'was signed with another key',
  ERR_JOSE_ALG_NOT_ALLOWED: 'uses an algorithm that is not allowed',
};

export const refused = (why: string, cause?: unknown): AppError => new AppError('UNAUTHENTICATED', `The internal token ${why}`, { cause });

function forgetOldest(known: Map<string, unknown>): void {
  for (const token of known.keys()) {
    known.delete(token);
    return;
  }
}
