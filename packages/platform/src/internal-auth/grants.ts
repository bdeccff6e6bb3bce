import { createHmac } from 'node:crypto';
import { tokenKey } from './token-key.ts';
import { createTokenVerifier, refused } from './verify-token.ts';

/** What lets a worker act for one execution: made with the claim, and worth nothing beside it. */
export interface ClaimGrant {
  readonly executionId: string;
  readonly workspaceId: string;
  readonly principalId: string;
  /** The fencing token of the claim. */
  readonly token: number;
  /** Of the execution's trace, where there is one: who holds the grant cannot choose another. */
  readonly traceparent?: string | undefined;
}

export interface Grants {
  issue(grant: ClaimGrant, expiresAt: Date): string;
  /** @throws AppError UNAUTHENTICATED. That the claim still holds is for the rows to say. */
  verify(bearer: string): Promise<ClaimGrant>;
}

const AUDIENCE = 'mcp-proxy/execution';
const TYPE = 'grant+jwt';
/** Above the longest timeout of an execution, its preparation and its end together. */
const LONGEST_SECONDS = 3_600;

/** Grants are signed and verified by MCP proxies alone, which share one key. @throws AppError INVALID_REQUEST for a key that is too short. */
export function createGrants(options: { readonly key: string; readonly now?: (() => number) | undefined }): Grants {
  const { now = Date.now } = options;
  const key = tokenKey('The key of the grants', options.key);
  const verifier = createTokenVerifier(now);
  const expected = { key, type: TYPE, audience: AUDIENCE, longestSeconds: LONGEST_SECONDS };
  return {
    issue({ executionId, workspaceId, principalId, token, traceparent }, expiresAt) {
      const issuedAt = Math.floor(now() / 1_000);
      const exp = Math.min(Math.ceil(expiresAt.getTime() / 1_000), issuedAt + LONGEST_SECONDS);
      const trace = traceparent === undefined ? {} : { tpt: traceparent };
      const payload = { wsp: workspaceId, prn: principalId, tok: token, ...trace, aud: AUDIENCE, sub: executionId, iat: issuedAt, exp };
      const bearer = sign(payload, key);
      // Most come back to who has issued them; another proxy verifies what it is shown.
      verifier.remember(bearer, payload, expected);
      return bearer;
    },
    async verify(bearer) {
      const { sub, wsp, prn, tok, tpt } = await verifier.verify(bearer, expected);
      if (sub === undefined || typeof wsp !== 'string' || typeof prn !== 'string' || typeof tok !== 'number')
        throw refused('is no grant of an execution');
      const grant = { executionId: sub, workspaceId: wsp, principalId: prn, token: tok };
      return typeof tpt === 'string' ? { ...grant, traceparent: tpt } : grant;
    },
  };
}

const HEADER = encode({ alg: 'HS256', typ: TYPE });

/** As jose would, but at once: that one asks WebCrypto, whose turn through the thread pool every execution would wait for. */
function sign(payload: object, key: Uint8Array): string {
  const signed = `${HEADER}.${encode(payload)}`;
  return `${signed}.${createHmac('sha256', key).update(signed).digest('base64url')}`;
}

function encode(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url');
}
