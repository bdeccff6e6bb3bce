import { readdirSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { processesBelow } from '../memory-watch/measure-tree.ts';
import { readShort } from '../memory-watch/read-short.ts';

const LIMIT_MS = 2_000;
const LOOK_MS = 2;

/** The runtime's pid while it is init's only child: before its program arrived. */
export function runtimeOf(initPid: number): number | null {
  const pid = Number(readShort(`/proc/${initPid}/task/${initPid}/children`));
  return Number.isInteger(pid) && pid > 0 ? pid : null;
}

/**
 * Kills every process of a sandbox that is being frozen but its init and `runtimePid`. Resolves with true when that one alone is
 * left and stands still. Only what is stopped is killed: it can make no more of itself, and its pid names nobody else.
 */
export async function endOthers(initPid: number, runtimePid: number): Promise<boolean> {
  const deadline = performance.now() + LIMIT_MS;
  for (;;) {
    const pids = processesBelow(initPid).filter((pid) => pid !== initPid);
    if (!pids.includes(runtimePid)) return false;
    const living = pids.map((pid) => ({ pid, state: stateOf(pid) })).filter(({ pid, state }) => !isDead(pid, state));
    if (living.length === 1 && living[0]?.pid === runtimePid && living[0].state === 'T') return true;
    if (living.every(({ state }) => state === 'T' || state === 'Z')) {
      for (const { pid } of living) if (pid !== runtimePid) kill(pid);
    }
    if (performance.now() > deadline) return false;
    await delay(LOOK_MS);
  }
}

/** Gone since the list was made, or not yet waited for by a parent that stands still. A first thread may end before the others do. */
const isDead = (pid: number, state: string): boolean => state === '' || state === 'X' || (state === 'Z' && threadsOf(pid) <= 1);

/** The letter behind the name, which may hold parentheses itself. */
function stateOf(pid: number): string {
  const stat = readShort(`/proc/${pid}/stat`);
  return stat.charAt(stat.lastIndexOf(')') + 2);
}

function threadsOf(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/task`).length;
  } catch {
    return 0; // Gone meanwhile.
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // ESRCH: it ended by itself.
  }
}
