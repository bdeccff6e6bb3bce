import { closeSync, fstatSync, openSync, readdirSync, readFileSync, readlinkSync, statfsSync } from 'node:fs';
import { Worker } from 'node:worker_threads';

/**
 * Measures a sandbox as the host sees it, by other ways than the product's own memory watch: every process whose pid namespace is
 * the sandbox's, its proportional set and its page tables, and the tmpfs as a process inside sees them.
 */
interface MemoryProbe {
  /** Ends the sampling and answers the highest sum of bytes. Idempotent. */
  stop(): number;
}

/** One sandbox, seen from outside. */
export interface Outside {
  /** Highest sum of bytes so far. */
  peakBytes(): number;
  /** Living processes of it. */
  processesLeft(): number;
  /** Idempotent. */
  close(): void;
}

/** Of sandboxes whose processes have pids here. */
export function observeTree(initPid: number): Outside {
  const namespace = holdNamespace(initPid);
  const probe = probeMemory(initPid);
  let open = true;
  return {
    peakBytes: () => probe.stop(),
    processesLeft: () => namespace.processes().length,
    close() {
      probe.stop();
      if (open) namespace.close();
      open = false;
    },
  };
}

const TMPFS = ['/workspace', '/tmp', '/dev/shm'];

/** Samples in a thread of its own: adding up a big tree would keep the test's own thread from ending the program. */
function probeMemory(initPid: number): MemoryProbe {
  const peaks = new SharedArrayBuffer(8);
  const thread = new Worker(new URL('./probe-thread.ts', import.meta.url), { workerData: { initPid, peaks }, env: {} });
  thread.unref();
  return {
    stop() {
      void thread.terminate();
      return new Float64Array(peaks)[0] ?? 0;
    },
  };
}

interface SandboxNamespace {
  /** Living processes of it, as host pids. */
  processes(): number[];
  close(): void;
}

/**
 * The pid namespace of the sandbox's processes, from the first of them that lets itself be looked at. It is held open: the kernel
 * gives the number of one that is gone to the next that is made, and other sandboxes are made all the time.
 */
function holdNamespace(initPid: number): SandboxNamespace {
  for (const pid of childrenOf(initPid)) {
    const descriptor = openedOrNull(`/proc/${pid}/ns/pid`);
    if (descriptor === null) continue;
    const link = `pid:[${fstatSync(descriptor).ino}]`;
    return { processes: () => processesIn(link), close: () => closeSync(descriptor) };
  }
  throw new Error(`no process below ${initPid} shows its pid namespace`);
}

function processesIn(namespace: string): number[] {
  return (
    readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map(Number)
      // A dead one that its parent has not asked about yet holds nothing.
      .filter((pid) => linkOf(`/proc/${pid}/ns/pid`) === namespace && !/^State:\s+[ZX]/m.test(textOf(`/proc/${pid}/status`)))
  );
}

export function treeBytes(initPid: number): number {
  const found = [initPid];
  for (const pid of found) found.push(...childrenOf(pid));
  let bytes = 0;
  let mapped = 0;
  for (const pid of found) {
    const rollup = textOf(`/proc/${pid}/smaps_rollup`);
    bytes += kilobytes(/^Pss:\s+(\d+)/m, rollup) + kilobytes(/^VmPTE:\s+(\d+)/m, textOf(`/proc/${pid}/status`));
    mapped += kilobytes(/^Pss_Shmem:\s+(\d+)/m, rollup);
  }
  const inside = found[1];
  const files = inside === undefined ? 0 : TMPFS.reduce((sum, path) => sum + usedBytes(`/proc/${inside}/root${path}`), 0);
  // A mapped file of a tmpfs is counted in both; where memory is shared without one, this is the lower bound.
  return bytes + Math.max(0, files - mapped);
}

function childrenOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
      textOf(`/proc/${pid}/task/${thread}/children`).split(' ').filter(Boolean).map(Number),
    );
  } catch {
    return []; // Gone meanwhile.
  }
}

function usedBytes(path: string): number {
  try {
    const { blocks, bfree, bsize } = statfsSync(path);
    return (blocks - bfree) * bsize;
  } catch {
    return 0; // Gone meanwhile.
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return ''; // Gone meanwhile.
  }
}

function openedOrNull(path: string): number | null {
  try {
    return openSync(path, 'r');
  } catch {
    return null; // Gone, or not ours to look at.
  }
}

function linkOf(path: string): string | null {
  try {
    return readlinkSync(path);
  } catch {
    return null; // Gone, or not ours to look at.
  }
}

const kilobytes = (field: RegExp, text: string): number => Number(field.exec(text)?.[1] ?? 0) * 1024;
