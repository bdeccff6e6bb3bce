import { readdirSync, readFileSync, statfsSync } from 'node:fs';
import { readShort } from './read-short.ts';
import { socketBytes } from './socket-bytes.ts';

/** What counts beside the processes: the sandbox's tmpfs, as its init sees them. */
const TMPFS = ['/workspace', '/tmp', '/dev/shm'];

/**
 * Bytes of RSS and page tables of every process of the sandbox, of its tmpfs, and of what its sockets may hold. Pages that processes
 * share count for each: an upper bound. 0 once it is gone.
 */
export function measureQuickly(initPid: number): number {
  const processes = processesBelow(initPid);
  let bytes = tmpfsBytes(processes) + socketBytes(processes);
  for (const pid of processes) bytes += residentBytes(pid);
  return bytes;
}

/**
 * The same by PSS, where a shared page counts once, and a mapped file of a tmpfs not twice. Costs up to a millisecond a process, and
 * other processes allocate meanwhile: it stops at the first that takes the sum beyond `enoughBytes`.
 */
export function measureExactly(initPid: number, enoughBytes = Number.POSITIVE_INFINITY): number {
  const processes = processesBelow(initPid);
  const inFiles = tmpfsBytes(processes);
  let bytes = inFiles + socketBytes(processes);
  let mappedFiles = 0;
  for (const pid of processes) {
    const { all, shared } = proportionalBytes(pid);
    bytes += all;
    mappedFiles += shared;
    if (bytes - inFiles > enoughBytes) break;
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

/** Page tables too: a program that only reads untouched memory holds nothing else, at gigabytes a second. */
function residentBytes(pid: number): number {
  const status = readShort(`/proc/${pid}/status`);
  return kilobytes(/^VmRSS:\s+(\d+) kB/m, status) + kilobytes(PAGE_TABLES, status);
}

const PAGE_TABLES = /^VmPTE:\s+(\d+) kB/m;

function proportionalBytes(pid: number): { readonly all: number; readonly shared: number } {
  try {
    const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
    const pageTables = kilobytes(PAGE_TABLES, readShort(`/proc/${pid}/status`));
    const shared = kilobytes(/^Pss_Shmem:\s+(\d+) kB/m, text);
    return { all: kilobytes(/^Pss:\s+(\d+) kB/m, text) + pageTables, shared: shared === 0 ? 0 : shared - sharedWithoutFile(pid) };
  } catch {
    // A process that may not be looked into (or is gone): what it shares cannot be told.
    return { all: residentBytes(pid), shared: 0 };
  }
}

/** Shared mappings of /dev/zero look like those of a tmpfs, but lie in none. */
function sharedWithoutFile(pid: number): number {
  let bytes = 0;
  let counts = false;
  for (const line of readFileSync(`/proc/${pid}/smaps`, 'utf8').split('\n')) {
    if (/^[0-9a-f]+-/.test(line)) counts = line.includes(' /dev/zero');
    else if (counts) bytes += kilobytes(/^Pss:\s+(\d+) kB/, line);
  }
  return bytes;
}

const kilobytes = (field: RegExp, text: string): number => Number(field.exec(text)?.[1] ?? 0) * 1024;

/** As the first process sees it that lets itself be looked at: the launcher's init does not. */
function tmpfsBytes(processes: readonly number[]): number {
  const pid = processes.find((each) => usedBytes(`/proc/${each}/root/tmp`) !== null);
  return pid === undefined ? 0 : TMPFS.reduce((bytes, path) => bytes + (usedBytes(`/proc/${pid}/root${path}`) ?? 0), 0);
}

/** Null: it cannot be looked at, or is gone. */
function usedBytes(path: string): number | null {
  try {
    const { type, blocks, bfree, bsize } = statfsSync(path);
    return type === TMPFS_MAGIC ? (blocks - bfree) * bsize : 0;
  } catch {
    return null;
  }
}

const TMPFS_MAGIC = 0x01021994;
