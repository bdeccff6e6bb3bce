import { closeSync, constants, openSync } from 'node:fs';
import { readShort } from '../memory-watch/read-short.ts';

/** A sandbox's /workspace. It stays readable when every process of the sandbox, and with them its mounts, are gone. */
export interface HeldWorkspace {
  /** Of the directory itself. Opened before the program arrived, so nothing of it had a say in where this leads. */
  readonly fd: number;
  /** Gives the memory of its files back. Idempotent. */
  release(): void;
}

/** Call it between READY and the program. null: this host does not let its service look there. */
export function openWorkspace(initPid: number): HeldWorkspace | null {
  // Init hides itself from its own user; the runtime, its one child by now, shares its root.
  const [runtimePid = String(initPid)] = readShort(`/proc/${initPid}/task/${initPid}/children`).split(' ');
  try {
    return holdDirectory(`/proc/${runtimePid === '' ? initPid : runtimePid}/root/workspace`);
  } catch {
    return null;
  }
}

/** Throws what `open` throws. */
function holdDirectory(path: string): HeldWorkspace {
  const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  let open = true;
  return {
    fd,
    release() {
      if (open) closeSync(fd);
      open = false;
    },
  };
}
