import { createHash } from 'node:crypto';
import { access, readdir, readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';

/** Where an image keeps what `sandbox-image/prebuild.ts` made: it has no compiler, and a root that cannot be written. */
const PREBUILT_DIR = join(import.meta.dirname, '../../../sandbox-image/build');

/** The path of `name` among what was built ahead; null where it is not there. Names carry the hash of their sources. */
export async function findPrebuilt(name: string): Promise<string | null> {
  const path = join(PREBUILT_DIR, name);
  return access(path).then(
    () => path,
    () => null,
  );
}

/** Sixteen hexadecimal digits that tell this architecture's sources below `dir` from all others, by names and contents. */
export async function hashSources(dir: string, isSource: (path: string) => boolean): Promise<string> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true });
  const paths = entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(dir, join(entry.parentPath, entry.name)))
    .filter(isSource)
    .sort();
  const hash = createHash('sha256').update(process.arch);
  for (const path of paths) hash.update(path).update(await readFile(join(dir, path)));
  return hash.digest('hex').slice(0, 16);
}
