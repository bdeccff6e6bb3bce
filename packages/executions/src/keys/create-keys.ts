import { DEFAULT_WORKSPACE_ID, newId, type Principal, ROLES, type Role } from '@code-executor/contracts';
import { AppError, type Database, type Logger, messageOf } from '@code-executor/platform';
import type { KeyRecord, Keys } from '../port.ts';
import { readAdminKey, writeAdminKey } from './admin-key-file.ts';
import { digestOf, isBareKey, newBareKey } from './bare-key.ts';
import { createKeyRows } from './key-rows.ts';
import { assertNoWider, readScopes } from './key-scopes.ts';
import { createKeyStore, type NewKey, type StoredKey } from './key-store.ts';

export interface KeysService extends Keys {
  /** A principal was made or changed beside the keys (an OAuth client): here and elsewhere it is looked for. */
  changed(): Promise<void>;
  /** Another process made or revoked a key: the next requests are judged by what the rows say now. */
  reload(): Promise<void>;
  close(): void;
  /** After this the file holds a working admin key; `created`: a new one. Call once at start, before `authenticate`. */
  ensureAdminKey(file: string): Promise<{ readonly created: boolean }>;
  /** What is known of a principal by its id, revoked and expired keys included; null: it is no key. */
  find(keyId: string): Promise<KnownPrincipal | null>;
}

export interface KnownPrincipal extends Principal {
  /** Neither revoked nor expired. */
  readonly isActive: boolean;
}

interface CachedKey {
  readonly principal: Principal;
  /** Milliseconds since the epoch. */
  readonly expiresAtMs: number;
}

const NAME_MAXIMUM_LENGTH = 100;
/** Where others share the rows: a change that nobody told of is found within this. */
const LOOK_MS = 500;
/** However many wrong keys are tried, the database is asked this often at most. */
const LOOK_FOR_WRONG_KEYS_MS = 20;

/**
 * API keys. All that are valid are held in memory by digest, in step with `create` and `revoke`, so that a request
 * costs one SHA-256 and a look-up, and a wrong key no more. The rows need `executionMigrations` to have run.
 *
 * `announce`: other processes share the rows; they are told of each change, and theirs are looked for.
 */
export async function createKeys(options: {
  readonly db: Database;
  readonly log: Logger;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
  readonly announce?: (() => Promise<void>) | undefined;
}): Promise<KeysService> {
  const { db, log, announce, now = Date.now } = options;
  const store = createKeyStore(db);
  let valid = new Map<string, CachedKey>();
  let byId = new Map<string, StoredKey>();
  let lookedAtMs = Number.NEGATIVE_INFINITY;
  const rows = createKeyRows(store, (keys) => {
    valid = new Map();
    byId = new Map();
    for (const key of keys) remember(key);
  });
  await rows.reload();
  const looks = announce === undefined ? null : setInterval(() => void look(), LOOK_MS);
  looks?.unref();

  return {
    reload: rows.reload,
    async changed() {
      await rows.reload();
      await tell();
    },
    close: () => clearInterval(looks ?? undefined),

    async authenticate(bareKey) {
      if (!isBareKey(bareKey)) return null;
      const digest = digestOf(bareKey);
      // Made a moment ago, at another gateway?
      if (announce !== undefined && !valid.has(digest) && performance.now() - lookedAtMs > LOOK_FOR_WRONG_KEYS_MS) await look();
      const key = valid.get(digest);
      if (key === undefined) return null;
      if (key.expiresAtMs > now()) return key.principal;
      valid.delete(digest);
      return null;
    },

    async find(keyId) {
      if (announce !== undefined && !byId.has(keyId) && performance.now() - lookedAtMs > LOOK_FOR_WRONG_KEYS_MS) await look();
      const key = byId.get(keyId);
      if (key === undefined) return null;
      const isExpired = key.expiresAt !== null && Date.parse(key.expiresAt) <= now();
      return { ...principalOf(key), isActive: key.revokedAt === null && !isExpired };
    },

    async create(principal, { name, role, expiresAt, scopes }) {
      assertAdmin(principal, 'create keys');
      const expiry = expiresAt === undefined ? null : parseExpiry(expiresAt, now());
      assertName(name);
      assertRole(role);
      const narrowed = readScopes(scopes);
      assertNoWider(principal, byId.get(principal.id), { expiry, scopes: narrowed });
      const key = { workspaceId: principal.workspaceId, name, role, createdBy: principal.id, expiresAt: expiry, scopes: narrowed };
      return await add(newBareKey(), key);
    },

    async list(principal) {
      assertAdmin(principal, 'list keys');
      return (await store.list(principal.workspaceId)).map(toRecord);
    },

    async revoke(principal, keyId) {
      assertAdmin(principal, 'revoke keys');
      const revoked = await store.revoke(principal.workspaceId, keyId, new Date(now()));
      if (revoked === null) throw new AppError('KEY_NOT_FOUND', `There is no key ${keyId.slice(0, 64)}.`);
      if (revoked === 'last_admin') {
        throw new AppError('LAST_ADMIN_KEY', `Key ${keyId} is the last admin key. Create another before you revoke it.`);
      }
      await rows.reload();
      await tell();
      return toRecord(revoked);
    },

    async ensureAdminKey(file) {
      const present = await readAdminKey(file);
      const known = present === null ? undefined : valid.get(digestOf(present));
      if (known?.principal.role === 'admin' && known.expiresAtMs > now()) return { created: false };
      if (announce !== undefined && present !== null && (await adopt(present))) return { created: false };
      const others = [...valid.values()].some(
        ({ principal, expiresAtMs }) => principal.role === 'admin' && principal.workspaceId === DEFAULT_WORKSPACE_ID && expiresAtMs > now(),
      );
      // There the file is a secret that is handed in: it mostly cannot be written, and no start may rest on a key that was revoked.
      if (announce !== undefined && present !== null && others) {
        log.warn({ file }, 'The admin key of the file was revoked or has expired; others go on. Put one of them there.');
        return { created: false };
      }
      const bareKey = newBareKey();
      // The row first would leave a key that nobody has when the file cannot be written.
      await writeAdminKey(file, bareKey, () =>
        add(bareKey, {
          workspaceId: DEFAULT_WORKSPACE_ID,
          name: 'first admin',
          role: 'admin',
          createdBy: null,
          expiresAt: null,
          scopes: null,
        }),
      );
      if (others)
        log.warn(
          { file },
          'The admin key file held no working admin key; a new one was made. The others stay valid: revoke what you do not know.',
        );
      else log.info({ file }, 'The first admin key was made');
      return { created: true };
    },
  };

  async function add(
    bareKey: string,
    key: Pick<NewKey, 'workspaceId' | 'name' | 'role' | 'createdBy' | 'expiresAt' | 'scopes'>,
  ): Promise<KeyRecord & { readonly key: string }> {
    const stored = await store.insert({ ...key, id: newId('key', now()), digest: digestOf(bareKey), createdAt: new Date(now()) });
    remember(stored);
    await tell();
    return { ...toRecord(stored), key: bareKey };
  }

  /** In the fleet the file is a secret that was there before the first row, and every gateway finds it. */
  async function adopt(bareKey: string): Promise<boolean> {
    const made = {
      workspaceId: DEFAULT_WORKSPACE_ID,
      name: 'first admin',
      role: 'admin' as const,
      createdBy: null,
      expiresAt: null,
      scopes: null,
    };
    const key = { ...made, id: newId('key', now()), digest: digestOf(bareKey), createdAt: new Date(now()) };
    if ((await store.insertUnlessKnown(key)) !== null) {
      log.info('The admin key of the file is known from now on');
      await tell();
    }
    await rows.reload();
    const adopted = valid.get(key.digest);
    return adopted?.principal.role === 'admin' && adopted.expiresAtMs > now();
  }

  async function tell(): Promise<void> {
    try {
      await announce?.();
    } catch (error) {
      log.info({ reason: messageOf(error) }, 'The other gateways were not told of a change of keys; they look for it');
    }
  }

  async function look(): Promise<void> {
    try {
      await rows.reloadIfChanged();
      lookedAtMs = performance.now();
    } catch (error) {
      log.debug({ reason: messageOf(error) }, 'The keys cannot be read; those read last are valid');
    }
  }

  function remember(key: StoredKey): void {
    byId.set(key.id, key);
    if (key.revokedAt !== null) return;
    valid.set(key.digest, {
      principal: principalOf(key),
      expiresAtMs: key.expiresAt === null ? Number.POSITIVE_INFINITY : Date.parse(key.expiresAt),
    });
  }
}

const principalOf = ({ id, workspaceId, role, name, scopes }: StoredKey): Principal => ({ id, workspaceId, role, name, scopes });

const toRecord = ({ id, name, role, createdAt, expiresAt, revokedAt, scopes }: StoredKey): KeyRecord => ({
  id,
  name,
  role,
  createdAt,
  expiresAt,
  revokedAt,
  scopes,
});

function assertAdmin(principal: Principal, act: string): void {
  if (principal.role !== 'admin') throw new AppError('FORBIDDEN', `Only an admin key may ${act}; this one is ${principal.role}.`);
}

function assertName(name: string): void {
  const fits = name.length >= 1 && name.length <= NAME_MAXIMUM_LENGTH && name.isWellFormed() && !/\p{Cc}/u.test(name);
  if (!fits) throw invalid('name', `must have 1 to ${NAME_MAXIMUM_LENGTH} characters, none of them a control character`);
}

function assertRole(role: Role): void {
  if (!ROLES.includes(role)) throw invalid('role', `must be one of ${ROLES.join(', ')}`);
}

function parseExpiry(expiresAt: string, nowMs: number): Date {
  const expiry = new Date(expiresAt);
  if (Number.isNaN(expiry.getTime())) throw invalid('expiresAt', 'must be a time such as 2030-01-31T00:00:00Z');
  if (expiry.getTime() <= nowMs) throw invalid('expiresAt', 'must lie in the future');
  return expiry;
}

const invalid = (field: string, problem: string): AppError =>
  new AppError('INVALID_REQUEST', `${field} ${problem}.`, { details: { field } });
