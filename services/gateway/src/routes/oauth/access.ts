import type { Principal } from '@code-executor/contracts';
import type { createExternalTokens, Keys, OAuthServer } from '@code-executor/executions';

/** Who is let in beside the holders of API keys. */
export interface Access {
  readonly oauth: OAuthServer;
  /** The operator's identity provider; null: there is none. */
  readonly external: { readonly issuer: string; readonly tokens: ReturnType<typeof createExternalTokens> } | null;
  /** Who shows nothing; null: is not let in. */
  readonly anonymous: Principal | null;
}

/** The keys, with access tokens taken for keys wherever one is asked for, and none at all for the anonymous one. */
export function withAccess(keys: Keys, { oauth, external, anonymous }: Access): Keys {
  return {
    async authenticate(bearer) {
      if (bearer === '') return anonymous;
      if (!isToken(bearer)) return await keys.authenticate(bearer);
      return external?.tokens.claims(bearer) === true ? await external.tokens.authenticate(bearer) : await oauth.authenticate(bearer);
    },
    create: (principal, key) => keys.create(principal, key),
    list: (principal) => keys.list(principal),
    revoke: (principal, keyId) => keys.revoke(principal, keyId),
  };
}

const isToken = (bearer: string): boolean => /^eyJ[\w-]+\.[\w-]+\.[\w-]+$/.test(bearer);
