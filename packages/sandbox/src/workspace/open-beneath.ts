import { closeSync, constants, type Dirent, fstatSync, lstatSync, opendirSync, openSync, type Stats } from 'node:fs';

const { O_DIRECTORY, O_NOCTTY, O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants;

/**
 * `openat(dir, name)` for names that a program chose. Going through the descriptor of the directory and one name a time, no
 * symlink is followed and no other process can move the way; a FIFO does not block.
 */
export function openIn(dir: number, name: string, flags: number = O_RDONLY, mode?: number): number {
  return openSync(pathIn(dir, name), flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, mode);
}

/** Throws TypeError for what is no single name. */
export function pathIn(dir: number, name: string): string {
  if (name === '' || name === '.' || name === '..' || /[/\0]/.test(name)) throw new TypeError(`${JSON.stringify(name)} is no file name`);
  return `/proc/self/fd/${dir}/${name}`;
}

/** Without following it; undefined: nothing of this name. */
export function statIn(dir: number, name: string): Stats | undefined {
  return lstatSync(pathIn(dir, name), { throwIfNoEntry: false });
}

/** A directory below another one of the same file system: what is mounted there is out of bounds. Throws what `open` throws, or ENOTDIR. */
export function openDirectoryIn(dir: number, name: string): number {
  const fd = openIn(dir, name, O_RDONLY | O_DIRECTORY);
  if (fstatSync(fd).dev === fstatSync(dir).dev) return fd;
  closeSync(fd);
  throw Object.assign(new Error(`${name} lies on another file system`), { code: 'ENOTDIR' });
}

/** A plain file of the directory's own file system, open for reading; null: it is a link, a FIFO, a socket, a device, or cannot be read. */
export function openFileIn(dir: number, name: string): { readonly fd: number; readonly bytes: number } | null {
  let fd: number;
  try {
    fd = openIn(dir, name);
  } catch {
    return null;
  }
  const stat = fstatSync(fd);
  if (stat.isFile() && stat.dev === fstatSync(dir).dev) return { fd, bytes: stat.size };
  closeSync(fd);
  return null;
}

/** Up to `most` entries, and whether there are more; names that are no UTF-8 are left out. */
export function entriesOf(dir: number, most: number): { readonly entries: Dirent[]; readonly more: boolean } {
  const found: Dirent[] = [];
  let more = false;
  const listing = opendirSync(`/proc/self/fd/${dir}/.`);
  try {
    for (let entry = listing.readSync(); entry !== null && !more; entry = listing.readSync()) {
      if (found.length === most) more = true;
      else if (!entry.name.includes('\uFFFD')) found.push(entry);
    }
  } finally {
    listing.closeSync();
  }
  return { entries: found.sort((one, other) => (one.name < other.name ? -1 : 1)), more };
}
