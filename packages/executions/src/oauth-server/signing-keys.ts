import { hkdfSync } from 'node:crypto';
import { type Database, type Logger, messageOf } from '@code-executor/platform';
import {
  CompactEncrypt,
  type CryptoKey,
  calculateJwkThumbprint,
  compactDecrypt,
  exportJWK,
  generateKeyPair,
  importJWK,
  type JWK,
} from 'jose';
import type { OAuthTables } from './tables.ts';

const ALGORITHM = 'ES256';
/** A key signs for so long; then a new one is made, at the next look. */
const LIFE_MS = 90 * 24 * 60 * 60 * 1000;
/** No token lives longer than a key that no longer signs is kept for. */
const AFTERLIFE_MS = 24 * 60 * 60 * 1000;
/** A key that another gateway made is looked for no more often. */
const LOOK_MS = 5_000;

interface SigningKey {
  readonly id: string;
  readonly publicJwk: JWK;
  readonly verify: CryptoKey;
  /** null: it was sealed with another secret. */
  readonly sign: CryptoKey | null;
  readonly createdAtMs: number;
}

export interface SigningKeys {
  /** The key that signs now. */
  current(): Promise<{ readonly id: string; readonly algorithm: string; readonly key: CryptoKey }>;
  /** null: no key of ours. */
  find(id: string): Promise<CryptoKey | null>;
  /** What everybody may see. */
  published(): Promise<readonly JWK[]>;
}

/**
 * Keys of access tokens, in the database, so that they outlive restarts and all gateways have the same. The private halves
 * are sealed under a secret that only gateways hold: the database alone signs nothing, and mcp-proxy, which holds the key
 * of upstream credentials, need not be asked for each token.
 */
export function createSigningKeys(options: {
  readonly db: Database;
  readonly secret: string;
  readonly log: Logger;
  readonly now: () => number;
}): SigningKeys {
  const { db, secret, log, now } = options;
  const query = db.query<OAuthTables>();
  const sealKey = new Uint8Array(hkdfSync('sha256', secret, '', 'code-executor oauth signing keys', 32));
  let keys: readonly SigningKey[] = [];
  let lookedAtMs = Number.NEGATIVE_INFINITY;
  let looking: Promise<void> | null = null;

  return {
    async current() {
      await look(false);
      const newest = newestOf(keys) ?? (await make());
      return { id: newest.id, algorithm: ALGORITHM, key: newest.key };
    },
    async find(id) {
      const known = keys.find((key) => key.id === id);
      if (known !== undefined) return known.verify;
      await look(true);
      return keys.find((key) => key.id === id)?.verify ?? null;
    },
    async published() {
      await look(false);
      if (newestOf(keys) === null) await make();
      return keys.map(({ publicJwk }) => publicJwk);
    },
  };

  function newestOf(all: readonly SigningKey[]): { readonly id: string; readonly key: CryptoKey } | null {
    for (const { id, sign, createdAtMs } of all) if (sign !== null && now() - createdAtMs < LIFE_MS) return { id, key: sign };
    return null;
  }

  async function look(isWanted: boolean): Promise<void> {
    const age = now() - lookedAtMs;
    if (age < LOOK_MS || (!isWanted && keys.length > 0 && age < 12 * LOOK_MS)) return;
    looking ??= read().finally(() => {
      looking = null;
    });
    await looking;
  }

  async function read(): Promise<void> {
    await query
      .deleteFrom('oauth_signing_keys')
      .where('created_at', '<', new Date(now() - LIFE_MS - AFTERLIFE_MS))
      .execute();
    const rows = await query.selectFrom('oauth_signing_keys').selectAll().orderBy('created_at', 'desc').execute();
    keys = await Promise.all(
      rows.map(async (row) => {
        const publicJwk = JSON.parse(row.public_json) as JWK;
        const verify = (await importJWK(publicJwk, ALGORITHM)) as CryptoKey;
        return { id: row.id, publicJwk, verify, sign: await unsealed(row.id, row.sealed_private), createdAtMs: row.created_at.getTime() };
      }),
    );
    lookedAtMs = now();
  }

  async function make(): Promise<{ readonly id: string; readonly key: CryptoKey }> {
    const { publicKey, privateKey } = await generateKeyPair(ALGORITHM, { extractable: true });
    const bare = await exportJWK(publicKey);
    const id = (await calculateJwkThumbprint(bare)).slice(0, 16);
    const publicJwk = { ...bare, kid: id, alg: ALGORITHM, use: 'sig' };
    const sealed = await new CompactEncrypt(new TextEncoder().encode(JSON.stringify(await exportJWK(privateKey))))
      .setProtectedHeader({ alg: 'dir', enc: 'A256GCM', kid: id })
      .encrypt(sealKey);
    const createdAt = new Date(now());
    await query
      .insertInto('oauth_signing_keys')
      .values({ id, public_json: JSON.stringify(publicJwk), sealed_private: sealed, created_at: createdAt })
      .execute();
    log.info({ keyId: id }, 'A key for access tokens was made');
    const verify = (await importJWK(publicJwk, ALGORITHM)) as CryptoKey;
    keys = [{ id, publicJwk, verify, sign: privateKey, createdAtMs: createdAt.getTime() }, ...keys];
    return { id, key: privateKey };
  }

  async function unsealed(id: string, sealed: string): Promise<CryptoKey | null> {
    try {
      const { plaintext, protectedHeader } = await compactDecrypt(sealed, sealKey);
      if (protectedHeader.kid !== id) return null;
      return (await importJWK(JSON.parse(new TextDecoder().decode(plaintext)) as JWK, ALGORITHM)) as CryptoKey;
    } catch (error) {
      log.warn(
        { keyId: id, reason: messageOf(error) },
        'A key for access tokens was sealed with another secret; it verifies and does not sign',
      );
      return null;
    }
  }
}
