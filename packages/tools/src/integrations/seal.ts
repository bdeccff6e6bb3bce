import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto';
import { chmod, open, readFile, stat } from 'node:fs/promises';
import { AppError, messageOf } from '@code-executor/platform';

const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** Seals secrets for the database, and derives what else needs the key. */
export interface Seal {
  /** AES-256-GCM; `place` (which row it belongs to) is authenticated, so that a sealed text cannot be moved to another row. */
  seal(text: string, place: string): string;
  /** @throws AppError INTERNAL where the text was sealed with another key or for another place. */
  open(sealed: string, place: string): string;
  /** HMAC-SHA-256 under a key of its own for each purpose, in base64url. */
  mac(purpose: string, text: string): string;
}

/** Reads the key file, or makes it: 32 random bytes in hexadecimal, readable by the service alone. */
export async function openSeal(keyFile: string): Promise<Seal> {
  const key = await readOrMakeKey(keyFile);
  const macKeys = new Map<string, Buffer>();
  const macKey = (purpose: string): Buffer => {
    const known = macKeys.get(purpose) ?? Buffer.from(hkdfSync('sha256', key, '', `code-executor ${purpose}`, KEY_BYTES));
    macKeys.set(purpose, known);
    return known;
  };
  return {
    seal(text, place) {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(place));
      const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
      return `v1.${Buffer.concat([nonce, cipher.getAuthTag(), sealed]).toString('base64url')}`;
    },
    open(sealed, place) {
      try {
        if (!sealed.startsWith('v1.')) throw new Error('unknown version');
        const bytes = Buffer.from(sealed.slice(3), 'base64url');
        const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
        decipher.setAAD(Buffer.from(place)).setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
        return Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()]).toString('utf8');
      } catch (error) {
        throw new AppError('INTERNAL', `The secrets of ${place} cannot be opened with ${keyFile}: ${messageOf(error)}`, { cause: error });
      }
    },
    mac: (purpose, text) => createHmac('sha256', macKey(purpose)).update(text).digest('base64url'),
  };
}

async function readOrMakeKey(file: string): Promise<Buffer> {
  try {
    const handle = await open(file, 'wx', 0o600);
    try {
      const key = randomBytes(KEY_BYTES);
      await handle.writeFile(`${key.toString('hex')}\n`);
      await handle.sync();
      return key;
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  }
  const text = (await readFile(file, 'utf8')).trim();
  if (!/^[0-9a-f]{64}$/.test(text)) throw new AppError('INTERNAL', `${file} is not a key of this service; restore it from a backup`);
  await close(file);
  return Buffer.from(text, 'hex');
}

/** A key that an orchestrator has mounted is read-only, or somebody else's, and its permissions are the orchestrator's affair. */
async function close(file: string): Promise<void> {
  if (((await stat(file)).mode & 0o077) === 0) return;
  try {
    await chmod(file, 0o600);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && (error.code === 'EROFS' || error.code === 'EPERM'))) throw error;
  }
}
