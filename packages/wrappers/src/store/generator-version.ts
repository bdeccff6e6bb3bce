import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const WRAPPERS_DIR = fileURLToPath(new URL('../../../../wrappers/', import.meta.url));
const SOURCE_DIR = fileURLToPath(new URL('..', import.meta.url));

/** The hand-written files of every snapshot: path below `/workspace/servers` → text. */
export function readRuntimeFiles(): ReadonlyMap<string, string> {
  const files = new Map<string, string>();
  for (const folder of ['typescript', 'python']) {
    const root = join(WRAPPERS_DIR, folder);
    for (const entry of readdirSync(root, { recursive: true, encoding: 'utf8' }).sort()) {
      if (/\.(ts|py)$/.test(entry)) files.set(entry, readFileSync(join(root, entry), 'utf8'));
    }
  }
  return files;
}

/** Changes with every change of the generator itself, so that a snapshot of an older one is never taken for a newer one's. */
export function generatorVersion(runtimeFiles: ReadonlyMap<string, string>): string {
  const hash = createHash('sha256');
  for (const [path, text] of runtimeFiles) hash.update(`${path}\0${text}\0`);
  for (const entry of readdirSync(SOURCE_DIR, { recursive: true, encoding: 'utf8' }).sort()) {
    if (entry.endsWith('.ts') && !entry.endsWith('.test.ts')) hash.update(readFileSync(join(SOURCE_DIR, entry)));
  }
  return hash.digest('hex');
}
