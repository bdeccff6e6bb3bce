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
    const states = new Map(pids.map((pid) => [pid, stateOf(pid)]));
    if (pids.length === 1 && states.get(runtimePid) === 'T') return true;
    if ([...states.values()].every((state) => STILL.includes(state))) {
      for (const pid of pids) if (pid !== runtimePid && states.get(pid) === 'T') kill(pid);
    }
    if (performance.now() > deadline) return false;
    await delay(LOOK_MS);
  }
}

/** Stopped, dead, or gone since the list was made. */
const STILL: readonly string[] = ['T', 'Z', 'X', ''];

/** The letter behind the name, which may hold parentheses itself. */
function stateOf(pid: number): string {
  const stat = readShort(`/proc/${pid}/stat`);
  return stat.charAt(stat.lastIndexOf(')') + 2);
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // ESRCH: it ended by itself.
  }
}
