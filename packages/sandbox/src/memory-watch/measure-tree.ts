import { closeSync, openSync, readdirSync, readFileSync, readSync, statfsSync } from 'node:fs';

/** What counts beside the processes: the sandbox's tmpfs, as its init sees them. */
const TMPFS = ['/workspace', '/tmp', '/dev/shm'];
const PAGE_BYTES = 4096;

/** Bytes of RSS of every process of the sandbox and of its tmpfs. Pages that processes share count for each: an upper bound. 0 once it is gone. */
export function measureQuickly(initPid: number): number {
  let bytes = tmpfsBytes(initPid);
  for (const pid of processesBelow(initPid)) bytes += residentBytes(pid);
  return bytes;
}

/** The same by PSS, where a shared page counts once, and a mapped file of a tmpfs not twice. Costs up to a millisecond a process. */
export function measureExactly(initPid: number): number {
  const inFiles = tmpfsBytes(initPid);
  let bytes = inFiles;
  let mappedFiles = 0;
  for (const pid of processesBelow(initPid)) {
    const { all, shared } = proportionalBytes(pid);
    bytes += all;
    mappedFiles += shared;
  }
  return bytes - Math.min(mappedFiles, inFiles);
}

/** By the kernel's lists of children, which name host pids and need no look at the sandbox's own /proc. */
export function processesBelow(initPid: number): number[] {
  const found = [initPid];
  // Orphans inside a pid namespace become children of its init, so the tree is whole.
  for (let index = 0; index < found.length && found.length < PROCESSES_MAXIMUM; index += 1) {
    const pid = found[index] as number;
    for (const thread of threadsOf(pid)) {
      for (const child of readShort(`/proc/${pid}/task/${thread}/children`).split(' ')) if (child !== '') found.push(Number(child));
    }
  }
  return found;
}

const PROCESSES_MAXIMUM = 4096;

function threadsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return []; // Gone meanwhile.
  }
}

function residentBytes(pid: number): number {
  return Number(readShort(`/proc/${pid}/statm`).split(' ')[1] ?? 0) * PAGE_BYTES;
}

function proportionalBytes(pid: number): { readonly all: number; readonly shared: number } {
  try {
    const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
    return { all: kilobytes(/^Pss:\s+(\d+) kB/m, text), shared: kilobytes(/^Pss_Shmem:\s+(\d+) kB/m, text) };
  } catch {
    // A process that may not be looked into (or is gone): what it shares cannot be told.
    return { all: residentBytes(pid), shared: 0 };
  }
}

const kilobytes = (field: RegExp, text: string): number => Number(field.exec(text)?.[1] ?? 0) * 1024;

function tmpfsBytes(initPid: number): number {
  return TMPFS.reduce((bytes, path) => bytes + usedBytes(`/proc/${initPid}/root${path}`), 0);
}

function usedBytes(path: string): number {
  try {
    const { type, blocks, bfree, bsize } = statfsSync(path);
    return type === TMPFS_MAGIC ? (blocks - bfree) * bsize : 0;
  } catch {
    return 0; // Gone meanwhile, or a sandbox without it.
  }
}

const TMPFS_MAGIC = 0x01021994;
const buffer = Buffer.alloc(64 * 1024);

/** A file of /proc without the size look-up and allocation of readFileSync; '' once it is gone. */
function readShort(path: string): string {
  let descriptor: number;
  try {
    descriptor = openSync(path, 'r');
  } catch {
    return '';
  }
  try {
    return buffer.toString('latin1', 0, readSync(descriptor, buffer, 0, buffer.length, 0)).trim();
  } catch {
    return '';
  } finally {
    closeSync(descriptor);
  }
}
