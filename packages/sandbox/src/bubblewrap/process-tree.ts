import { readdirSync, readFileSync } from 'node:fs';

/** Every living descendant of a process, by this process's pids. Orphans of a pid namespace are children of its init. */
export function descendants(pid: number): number[] {
  const found: number[] = [];
  const line = [pid];
  for (let parent = line.pop(); parent !== undefined; parent = line.pop()) {
    for (const child of childrenOf(parent)) {
      found.push(child);
      line.push(child);
    }
  }
  return found;
}

/** Sends a signal to every descendant until a look finds none that has not had it; a program may fork while it is looked at. */
export function signalTree(pid: number, signal: 'SIGSTOP' | 'SIGCONT'): void {
  const signalled = new Set<number>();
  for (let round = 0; round < ROUNDS; round += 1) {
    const fresh = descendants(pid).filter((each) => !signalled.has(each));
    if (fresh.length === 0) return;
    for (const each of fresh) {
      signalled.add(each);
      try {
        process.kill(each, signal);
      } catch {
        // ESRCH: it ended by itself.
      }
    }
  }
}

/** A fork bomb of 64 processes is held long before. */
const ROUNDS = 100;

function childrenOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
      readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
    );
  } catch {
    return []; // It ended while it was looked at.
  }
}
