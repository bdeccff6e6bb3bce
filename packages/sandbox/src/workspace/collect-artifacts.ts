import { closeSync, createReadStream, createWriteStream } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { listFiles, type OmittedFile } from './list-files.ts';
import { openDirectoryIn, statIn } from './open-beneath.ts';

/** Below /workspace: what a program leaves there is kept. */
export const ARTIFACTS_DIRECTORY = 'artifacts';
/** What is kept of an output that was cut. */
const OUTPUT_NAME = 'output.txt';

/** What a program left behind. No process of its sandbox is left that could change it. */
export interface LeftBehind {
  /** Everything it printed, where the answer has only part of it. */
  readonly output: Buffer | null;
  /** Of /workspace; null: there is nothing to be collected there. */
  readonly workspaceFd: number | null;
}

export interface ArtifactBounds {
  readonly files: number;
  readonly totalBytes: number;
}

export interface CollectedArtifacts {
  /** `name` is the file's own in the target directory. */
  readonly files: readonly { readonly path: string; readonly bytes: number; readonly name: string }[];
  readonly omitted: readonly OmittedFile[];
}

/** Cheap enough to be asked of every program. */
export const hasArtifacts = (workspaceFd: number): boolean => statIn(workspaceFd, ARTIFACTS_DIRECTORY)?.isDirectory() === true;

/** Copies it into `targetDir`, an empty directory, as far as the bounds allow; what is left out is named. */
export async function collectArtifacts(left: LeftBehind, targetDir: string, bounds: ArtifactBounds): Promise<CollectedArtifacts> {
  const files: { path: string; bytes: number; name: string }[] = [];
  const omitted: OmittedFile[] = [];
  let room = bounds.totalBytes;
  const take = async (path: string, bytes: number, write: (target: string) => Promise<void>): Promise<void> => {
    const reason =
      files.length >= bounds.files ? `${bounds.files} files are kept` : bytes > room ? `${bounds.totalBytes} bytes are kept` : null;
    if (reason !== null) {
      if (omitted.length < OMITTED_NAMED) omitted.push({ path, reason });
      return;
    }
    const name = String(files.length);
    await write(join(targetDir, name));
    room -= bytes;
    files.push({ path, bytes, name });
  };

  const { output, workspaceFd } = left;
  if (output !== null) await take(OUTPUT_NAME, output.length, (target) => writeFile(target, output, { flag: 'wx', mode: 0o600 }));
  if (workspaceFd === null) return { files, omitted };
  const dir = openDirectoryIn(workspaceFd, ARTIFACTS_DIRECTORY);
  try {
    for (const found of listFiles(dir)) {
      if ('reason' in found) {
        if (omitted.length < OMITTED_NAMED) omitted.push(found);
      } else if (output !== null && found.path === OUTPUT_NAME) {
        omitted.push({ path: found.path, reason: 'the whole output has this name' });
      } else await take(found.path, found.bytes, (target) => copy(found.fd, found.bytes, target));
    }
  } finally {
    closeSync(dir);
  }
  return { files, omitted };
}

const OMITTED_NAMED = 100;

/** Exactly the bytes that were judged. */
async function copy(fd: number, bytes: number, target: string): Promise<void> {
  if (bytes === 0) return await writeFile(target, '', { flag: 'wx', mode: 0o600 });
  const source = createReadStream('', { fd, autoClose: false, start: 0, end: bytes - 1 });
  await pipeline(source, createWriteStream(target, { flags: 'wx', mode: 0o600 }));
}
