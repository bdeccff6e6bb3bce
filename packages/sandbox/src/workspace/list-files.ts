import { closeSync } from 'node:fs';
import { entriesOf, openDirectoryIn, openFileIn } from './open-beneath.ts';

/** One plain file; its descriptor is open while it is looked at. */
export interface FoundFile {
  /** Relative to where the search began. */
  readonly path: string;
  readonly bytes: number;
  readonly fd: number;
}

/** What lies there and is not taken, and why. */
export interface OmittedFile {
  readonly path: string;
  readonly reason: string;
}

const DEPTH_MAXIMUM = 8;
const ENTRIES_MAXIMUM = 1_000;
const PATH_MAXIMUM_LENGTH = 200;

/** Every plain file below a directory, in the order of the names; each is closed when the next is asked for. */
export function* listFiles(dir: number, skip: readonly string[] = [], prefix = '', depth = 1): Generator<FoundFile | OmittedFile> {
  const { entries, more } = entriesOf(dir, ENTRIES_MAXIMUM);
  for (const entry of entries) {
    const path = `${prefix}${entry.name}`;
    if (skip.includes(path)) continue;
    if (path.length > PATH_MAXIMUM_LENGTH || hasControls(path)) {
      yield { path: path.replace(CONTROLS, '?').slice(0, PATH_MAXIMUM_LENGTH), reason: 'its name is too long, or has control characters' };
    } else if (entry.isDirectory()) yield* below(dir, entry.name, path, depth);
    else yield* file(dir, entry.name, path);
  }
  if (more) {
    yield { path: prefix.slice(0, -1) || '.', reason: `it has more than ${ENTRIES_MAXIMUM} entries, and the rest is left out` };
  }
}

function* below(dir: number, name: string, path: string, depth: number): Generator<FoundFile | OmittedFile> {
  if (depth === DEPTH_MAXIMUM) {
    yield { path, reason: `folders nest deeper than ${DEPTH_MAXIMUM}` };
    return;
  }
  let inner: number;
  try {
    inner = openDirectoryIn(dir, name);
  } catch {
    yield { path, reason: 'it cannot be read' };
    return;
  }
  try {
    yield* listFiles(inner, [], `${path}/`, depth + 1);
  } finally {
    closeSync(inner);
  }
}

function* file(dir: number, name: string, path: string): Generator<FoundFile | OmittedFile> {
  const found = openFileIn(dir, name);
  if (found === null) {
    yield { path, reason: 'it is no plain file that can be read' };
    return;
  }
  try {
    yield { path, ...found };
  } finally {
    closeSync(found.fd);
  }
}

const CONTROLS = /\p{Cc}|\p{Cf}/gu;
const hasControls = (text: string): boolean => text.search(CONTROLS) !== -1;
