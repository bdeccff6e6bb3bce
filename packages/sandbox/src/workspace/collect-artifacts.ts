import { closeSync, readSync } from 'node:fs';
import { Readable } from 'node:stream';
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
  /** `name` is what the file was handed over under. */
  readonly files: readonly { readonly path: string; readonly bytes: number; readonly name: string }[];
  readonly omitted: readonly OmittedFile[];
}

/** Cheap enough to be asked of every program. */
export const hasArtifacts = (workspaceFd: number): boolean => statIn(workspaceFd, ARTIFACTS_DIRECTORY)?.isDirectory() === true;

/** Exactly the bytes that were judged, as often as they are asked for while `KeepFile` is under way. */
export interface CollectedFile {
  readonly path: string;
  readonly bytes: number;
  open(): Readable;
}

/** Puts one file where it is kept, under this name. Answers why not; null: it is kept. */
export type KeepFile = (name: string, file: CollectedFile) => Promise<string | null>;

/** Hands it to `keep`, file by file, as far as the bounds allow; what is left out is named. */
export async function collectArtifacts(left: LeftBehind, keep: KeepFile, bounds: ArtifactBounds): Promise<CollectedArtifacts> {
  const files: { path: string; bytes: number; name: string }[] = [];
  const omitted: OmittedFile[] = [];
  let room = bounds.totalBytes;
  const take = async (file: CollectedFile): Promise<void> => {
    const { path, bytes } = file;
    const name = String(files.length);
    const reason =
      files.length >= bounds.files
        ? `${bounds.files} files are kept`
        : bytes > room
          ? `${bounds.totalBytes} bytes are kept`
          : await keep(name, file);
    if (reason === null) {
      room -= bytes;
      files.push({ path, bytes, name });
    } else if (omitted.length < OMITTED_NAMED) omitted.push({ path, reason });
  };

  const { output, workspaceFd } = left;
  if (output !== null) await take({ path: OUTPUT_NAME, bytes: output.length, open: () => Readable.from([output]) });
  if (workspaceFd === null) return { files, omitted };
  const dir = openDirectoryIn(workspaceFd, ARTIFACTS_DIRECTORY);
  try {
    for (const found of listFiles(dir)) {
      if ('reason' in found) {
        if (omitted.length < OMITTED_NAMED) omitted.push(found);
      } else if (output !== null && found.path === OUTPUT_NAME) {
        omitted.push({ path: found.path, reason: 'the whole output has this name' });
      } else await take({ path: found.path, bytes: found.bytes, open: () => read(found.fd, found.bytes) });
    }
  } finally {
    closeSync(dir);
  }
  return { files, omitted };
}

const OMITTED_NAMED = 100;

/** The descriptor stays who opened it's, however the stream ends; nothing is being read from it when it is closed. */
function read(fd: number, bytes: number): Readable {
  const pieces = function* (): Generator<Buffer> {
    for (let at = 0; at < bytes; ) {
      const piece = Buffer.allocUnsafe(Math.min(PIECE_BYTES, bytes - at));
      const count = readSync(fd, piece, 0, piece.length, at);
      if (count === 0) throw new Error('a file became shorter while it was read');
      at += count;
      yield piece.subarray(0, count);
    }
  };
  return Readable.from(pieces(), { objectMode: false });
}

/** Of a file in memory, in microseconds. */
const PIECE_BYTES = 128 * 1024;
