import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { chmod, open, readFile, stat } from 'node:fs/promises';
import { AppError, messageOf } from '@code-executor/platform';

const KEY_BYTES = 32;

export interface SealKey {
  /** Of the key, and nothing of it. */
  readonly id: string;
  readonly bytes: Buffer;
}

/** The keys of the key file, a line each; the last one seals, the others open what they have sealed. */
export interface SealKeys {
  /** As the file says now: another process, or the operator, may have added one. */
  newest(): SealKey;
  /** Null: not even in the file as it is now. */
  find(id: string): SealKey | null;
  /** The newest first. */
  all(): readonly SealKey[];
  /** Appends a new key, which seals from then on. @throws AppError INVALID_REQUEST where the file cannot be written. */
  add(): Promise<SealKey>;
}

/** Reads the key file, or makes it: 32 random bytes in hexadecimal, readable by the service alone. */
export async function openSealKeys(file: string): Promise<SealKeys> {
  await makeMissing(file);
  let seen = '';
  let keys: readonly SealKey[] = parse(await readFile(file, 'utf8'), file);
  await close(file);

  /** A file that cannot be read at the moment changes nothing: what is known stays good. */
  function look(): readonly SealKey[] {
    try {
      const { mtimeMs, size, ino } = statSync(file);
      const state = `${mtimeMs} ${size} ${ino}`;
      if (state !== seen) {
        keys = parse(readFileSync(file, 'utf8'), file);
        seen = state;
      }
    } catch (error) {
      if (!(error instanceof Error && 'code' in error)) throw error;
      seen = '';
    }
    return keys;
  }

  function newest(): SealKey {
    const [first] = look();
    if (first === undefined) throw new AppError('INTERNAL', `${file} holds no key`);
    return first;
  }

  return {
    newest,
    find: (id) => keys.find((key) => key.id === id) ?? look().find((key) => key.id === id) ?? null,
    all: () => keys,
    async add() {
      try {
        const handle = await open(file, 'a', 0o600);
        try {
          const isWhole = readFileSync(file, 'utf8').endsWith('\n');
          // Appended, never exchanged: a mounted file stays the same one, and a crash leaves at most half a line, which is none.
          await handle.write(`${isWhole ? '' : '\n'}${randomBytes(KEY_BYTES).toString('hex')}\n`);
          await handle.sync();
        } finally {
          await handle.close();
        }
      } catch (error) {
        throw new AppError(
          'INVALID_REQUEST',
          `The key file ${file} cannot be written by the service (${messageOf(error)}): append a line of 64 hexadecimal digits to it where it comes from, and ask again without newKey`,
          { cause: error },
        );
      }
      return newest();
    },
  };
}

async function makeMissing(file: string): Promise<void> {
  try {
    const handle = await open(file, 'wx', 0o600);
    try {
      await handle.writeFile(`${randomBytes(KEY_BYTES).toString('hex')}\n`);
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  }
}

/** The newest first. Half a line is one that was cut off while it was written: nothing was sealed with it. */
function parse(text: string, file: string): readonly SealKey[] {
  const keys: SealKey[] = [];
  for (const line of text.split('\n').map((each) => each.trim())) {
    if (/^[0-9a-f]{64}$/.test(line)) keys.unshift(keyOf(line));
    else if (!/^(#.*|[0-9a-f]{0,63})$/.test(line)) throw damaged(file);
  }
  if (keys.length === 0) throw damaged(file);
  return keys;
}

const damaged = (file: string): AppError => new AppError('INTERNAL', `${file} is not a key of this service; restore it from a backup`);

function keyOf(hex: string): SealKey {
  const bytes = Buffer.from(hex, 'hex');
  return { bytes, id: createHash('sha256').update('code-executor seal key id').update(bytes).digest('hex').slice(0, 16) };
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
