import { readFileSync, readlinkSync } from 'node:fs';
import { readShort } from './read-short.ts';

/**
 * What is sent and not yet read belongs to no process, and the kernel names no sum; the number of sockets it does name. Where the
 * launcher cannot bound the buffers of TCP (it does so through /proc/sys), what they hold is added up.
 */
export function socketBytes(processes: readonly number[]): number {
  const pid = processes.find((each) => networkOf(each) !== null);
  if (pid === undefined || networkOf(pid) === OWN_NETWORK) return 0;
  const counts = readShort(`/proc/${pid}/net/sockstat`);
  const sockets = Number(/^sockets: used (\d+)/m.exec(counts)?.[1] ?? 0);
  return Math.max(0, sockets - SOCKETS_FREE) * SOCKET_BYTES + (TCP_IS_BOUNDED ? 0 : queuedBytes(pid, counts));
}

function networkOf(pid: number | 'self'): string | null {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`);
  } catch {
    return null;
  }
}

/** Both queues of every TCP connection of the namespace. The kernel goes through its whole table for it, so only where there are any. */
function queuedBytes(pid: number, counts: string): number {
  let bytes = 0;
  if (/^TCP: inuse [1-9]/m.test(counts)) bytes += sumQueues(`/proc/${pid}/net/tcp`);
  if (/^TCP6: inuse [1-9]/m.test(readShort(`/proc/${pid}/net/sockstat6`))) bytes += sumQueues(`/proc/${pid}/net/tcp6`);
  return bytes;
}

function sumQueues(path: string): number {
  let bytes = 0;
  try {
    for (const [, state, sent, received] of readFileSync(path, 'latin1').matchAll(CONNECTION)) {
      // A listening socket's queues are connections, not bytes.
      if (state !== LISTEN) bytes += Number.parseInt(sent ?? '', 16) + Number.parseInt(received ?? '', 16);
    }
  } catch {
    // Gone meanwhile.
  }
  return bytes;
}

const CONNECTION = /^ *\d+: [0-9A-F]+:[0-9A-F]{4} [0-9A-F]+:[0-9A-F]{4} ([0-9A-F]{2}) ([0-9A-F]{8}):([0-9A-F]{8})/gm;
const LISTEN = '0A';

const OWN_NETWORK = networkOf('self');
/** As containers mount it. The launcher asks the same of the kernel. */
const TCP_IS_BOUNDED = !/ \/proc\/sys ro[ ,]/.test(readFileSync('/proc/self/mountinfo', 'utf8'));
/** Of runtimes, event loops and a few connections. */
const SOCKETS_FREE = 64;
/** `net.core.wmem_default`; the seccomp filter keeps programs from asking for more. */
const SOCKET_BYTES = 212_992;
