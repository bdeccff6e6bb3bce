import { randomBytes } from 'node:crypto';
import { open, readFile } from 'node:fs/promises';
import { AppError, messageOf } from '@code-executor/platform';

/** The secret in a file that its owner alone reads; made where there is none. Losing it costs a new key for access tokens, no more. */
export async function readOrMakeSecret(file: string): Promise<string> {
  try {
    const known = await read(file);
    if (known !== null) return known;
    const handle = await open(file, 'wx', 0o600);
    try {
      const made = randomBytes(32).toString('base64url');
      await handle.writeFile(`${made}\n`);
      await handle.sync();
      return made;
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw new AppError('INTERNAL', `The secret of access tokens cannot be kept in ${file}: ${messageOf(error)}`, { cause: error });
  }
}

async function read(file: string): Promise<string | null> {
  try {
    const text = (await readFile(file, 'utf8')).trim();
    if (text.length < 32) throw new Error('it is too short; delete it, and a new one is made');
    return text;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
}
