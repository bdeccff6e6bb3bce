import { readdirSync, readFileSync } from 'node:fs';

/** Proportional set size, in MB, of a process and everything below it; processes that end meanwhile count as nothing. */
export function treeMemoryMb(pid: number): number {
  return tree(pid).reduce((sum, each) => sum + pssKb(each), 0) / 1024;
}

/** The process and all its descendants. */
export function tree(pid: number): number[] {
  return [pid, ...children(pid).flatMap(tree)];
}

export function openDescriptors(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

function children(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((task) =>
      readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
    );
  } catch {
    return [];
  }
}

function pssKb(pid: number): number {
  try {
    return Number(/^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1] ?? 0);
  } catch {
    return 0;
  }
}
