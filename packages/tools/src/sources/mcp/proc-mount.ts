import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { ServerLog } from './mcp-server.ts';

/** How stdio servers get their `/proc`. */
export interface ProcProbe {
  /** The arguments of bubblewrap for it: one of the server's own, or, where the kernel grants none, the container's, read-only. Tried once. */
  mount(): Promise<readonly string[]>;
  /** What the second means for every stdio server, in a sentence for the operator; null: nothing. */
  degradation(): string | null;
}

const FRESH = ['--proc', '/proc'];
const BOUND = ['--ro-bind', '/proc', '/proc'];
const PROBE_TIMEOUT_MS = 5_000;

const DEGRADATION =
  'This container masks parts of /proc, so that no server gets a /proc of its own: it sees the names and the command lines of all processes here, ' +
  'among them the arguments of other servers (not their environments, memory or files). Put secrets into env instead of args, or unmask /proc';

/**
 * A container runtime that masks parts of /proc also keeps a new one from being mounted in it. The server's other namespaces hold all the
 * same, and what guards memory, environment and files of other processes is the user namespace.
 */
export function createProcProbe(host: { readonly bwrapPath: string; readonly path: string; readonly log: ServerLog }): ProcProbe {
  let found: Promise<readonly string[]> | null = null;
  let degradation: string | null = null;

  async function probe(): Promise<readonly string[]> {
    // Where neither works the server is started as ever, and what bubblewrap says of it becomes the reason that it is broken.
    if ((await works(host, FRESH)) || !(await works(host, BOUND))) return FRESH;
    degradation = DEGRADATION;
    host.log.warn({ degradation }, 'MCP servers run with less isolation than usual');
    return BOUND;
  }

  return {
    mount() {
      found ??= probe();
      return found;
    },
    degradation: () => degradation,
  };
}

async function works(
  { bwrapPath, path }: { readonly bwrapPath: string; readonly path: string },
  proc: readonly string[],
): Promise<boolean> {
  const namespaces = ['--unshare-user', '--unshare-pid', '--unshare-ipc', '--unshare-uts', '--die-with-parent'];
  const run = promisify(execFile)(bwrapPath, [...namespaces, '--bind', '/', '/', ...proc, '--dev', '/dev', '--', '/bin/true'], {
    cwd: '/',
    env: { PATH: path },
    timeout: PROBE_TIMEOUT_MS,
    killSignal: 'SIGKILL',
  });
  const [{ status }] = await Promise.allSettled([run]);
  return status === 'fulfilled';
}
