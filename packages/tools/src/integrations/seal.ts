import { createCipheriv, createDecipheriv, createHmac, createSecretKey, hkdfSync, type KeyObject, randomBytes } from 'node:crypto';
import { AppError, messageOf } from '@code-executor/platform';
import { openSealKeys, type SealKey } from './seal-keys.ts';

const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** Seals secrets for the database, and derives what else needs the key. */
export interface Seal {
  /** AES-256-GCM; `place` (which row it belongs to) is authenticated, so that a sealed text cannot be moved to another row. */
  seal(text: string, place: string): string;
  /** @throws AppError INTERNAL where the text was sealed with a key that is not in the file, or for another place. */
  open(sealed: string, place: string): string;
  /** HMAC-SHA-256 under a key of its own for each purpose, in base64url. It changes with the newest key: not to be kept and compared. */
  mac(purpose: string, text: string): string;
}

/** The seal with what rotating its key needs. */
export interface RotatingSeal extends Seal {
  /** Whether it is sealed with the newest key, in the newest form. */
  isCurrent(sealed: string): boolean;
  readonly keys: { count(): number; newestId(): string; add(): Promise<unknown> };
}

/**
 * A sealed text is `v2.<key id>.<base64url of nonce, tag, ciphertext>`; the key's id and the place are authenticated. Texts
 * of before, `v1.<base64url>`, name no key: every one is tried.
 */
export async function openSeal(keyFile: string): Promise<RotatingSeal> {
  const keys = await openSealKeys(keyFile);
  const macKeys = new Map<string, KeyObject>();
  // A key object, since bare bytes are made one with every use, and that costs ten times the hash.
  const macKey = (purpose: string): KeyObject => {
    const newest = keys.newest();
    const id = `${newest.id} ${purpose}`;
    const known =
      macKeys.get(id) ?? createSecretKey(Buffer.from(hkdfSync('sha256', newest.bytes, '', `code-executor ${purpose}`, KEY_BYTES)));
    macKeys.set(id, known);
    return known;
  };
  return {
    seal(text, place) {
      const { id, bytes } = keys.newest();
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv('aes-256-gcm', bytes, nonce).setAAD(Buffer.from(associated(id, place)));
      const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
      return `v2.${id}.${Buffer.concat([nonce, cipher.getAuthTag(), sealed]).toString('base64url')}`;
    },
    open(sealed, place) {
      try {
        const [version, id = '', body = ''] = sealed.split('.');
        if (version === 'v1') return openFirst(keys.all(), id, place);
        if (version !== 'v2') throw new Error('unknown version');
        const key = keys.find(id);
        if (key === null) throw new Error(`the key ${id.slice(0, 16)} is not in the file`);
        return decipher(key, body, associated(id, place));
      } catch (error) {
        throw new AppError('INTERNAL', `The secrets of ${place} cannot be opened with ${keyFile}: ${messageOf(error)}`, { cause: error });
      }
    },
    mac: (purpose, text) => createHmac('sha256', macKey(purpose)).update(text).digest('base64url'),
    isCurrent: (sealed) => sealed.startsWith(`v2.${keys.newest().id}.`),
    keys: { count: () => keys.all().length, newestId: () => keys.newest().id, add: () => keys.add() },
  };
}

const associated = (keyId: string, place: string): string => `v2 ${keyId} ${place}`;

/** The error of the newest key where none opens it. */
function openFirst(keys: readonly SealKey[], body: string, place: string): string {
  let first: unknown;
  for (const key of keys) {
    try {
      return decipher(key, body, place);
    } catch (error) {
      first ??= error;
    }
  }
  throw first;
}

function decipher(key: SealKey, body: string, associatedData: string): string {
  const bytes = Buffer.from(body, 'base64url');
  const decipher = createDecipheriv('aes-256-gcm', key.bytes, bytes.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
  decipher.setAAD(Buffer.from(associatedData)).setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
  return Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()]).toString('utf8');
}
