import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** Waits until a process that is not this one's child is gone, at most five seconds; 0 stands for none. */
export async function untilGone(pid: number): Promise<void> {
  if (pid === 0) return;
  const end = performance.now() + GONE_LIMIT_MS;
  while (performance.now() < end && isThere(pid)) await sleep(LOOK_EVERY_MS);
}

const GONE_LIMIT_MS = 5000;
const LOOK_EVERY_MS = 2;

/** A zombie counts as gone: an init becomes one when its whole namespace is dead, and who reaps it is not ours to say. */
function isThere(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false; // ENOENT
  }
}
