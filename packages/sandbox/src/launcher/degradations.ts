import type { LauncherConditions } from './launcher-process.ts';

/** What sandboxes lack where the launcher found such conditions; a bare host, or a container whose /proc is not masked, lacks nothing. */
export function degradationsOf({ proc, hasSysctls }: LauncherConditions): readonly string[] {
  return [...(proc === 'shared' ? [SHARED_PROC] : []), ...(proc === 'pids-only' ? [PIDS_ONLY] : []), ...(hasSysctls ? [] : [NO_SYSCTLS])];
}

const SHARED_PROC =
  'The container masks its /proc, so sandboxes see it instead of one of their own: read-only, without the service. Command lines, status and ' +
  'mounts of other sandboxes can be read; environment, memory, files and descriptors cannot. Unmask it (systempaths=unconfined, procMount: Unmasked).';
const PIDS_ONLY = 'The container masks its /proc, so that of sandboxes holds processes alone: no meminfo, no cpuinfo, no sys.';
const NO_SYSCTLS =
  '/proc/sys is read-only here: programs cannot watch files (inotify), and only the memory watch bounds what lies unread in TCP sockets.';
