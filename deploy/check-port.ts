// check-port.ts HOST PORT: exits 0 where the service can listen there; else prints one sentence and exits 1.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { createServer } from 'node:net';

const [host = '127.0.0.1', portText = ''] = process.argv.slice(2);
const sentence =
  /^\d{1,5}$/.test(portText) && Number(portText) >= 1 && Number(portText) <= 65_535
    ? await tryToListen(host, Number(portText))
    : notAPort(portText);
if (sentence !== null) {
  process.stdout.write(`${sentence}\n`);
  process.exitCode = 1;
}

function tryToListen(host: string, port: number): Promise<string | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(describe(error, host, port)));
    server.listen({ host: host.replace(/^\[|\]$/g, ''), port, exclusive: true }, () => server.close(() => resolve(null)));
  });
}

function describe(error: NodeJS.ErrnoException, host: string, port: number): string {
  if (error.code === 'EADDRINUSE') {
    const holder = holderOf(port);
    return `Port ${port} is in use by ${holder ?? 'another program'}: stop it, or choose another port with EXECUTOR_PORT=${port === 9091 ? 9191 : 9091}.`;
  }
  if (error.code === 'EACCES') return `Port ${port} needs more rights than the service has: choose one above 1023 with EXECUTOR_PORT.`;
  if (error.code === 'EADDRNOTAVAIL' || error.code === 'ENOTFOUND')
    return `${host} is no address of this machine: set EXECUTOR_HOST to one, 127.0.0.1 say.`;
  return `The service cannot listen on ${host}:${port}: ${error.message}.`;
}

function notAPort(text: string): string {
  return `EXECUTOR_PORT=${text} is no port: give a number from 1 to 65535.`;
}

/** Pid and name of the process that listens on a port, where this user may see it. */
function holderOf(port: number): string | null {
  const inodes = listeningInodes(port);
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    if (holdsSocket(pid, inodes))
      return `process ${pid} (${readIfThere(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim().slice(0, 120)})`;
  }
  return null;
}

function listeningInodes(port: number): Set<string> {
  const hexPort = port.toString(16).toUpperCase().padStart(4, '0');
  const rows = ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((file) => readIfThere(file).split('\n').slice(1));
  const fields = rows.map((row) => row.trim().split(/\s+/));
  return new Set(
    fields.filter(([, local, , state]) => local?.endsWith(`:${hexPort}`) && state === '0A').map((row) => `socket:[${row[9]}]`),
  );
}

function holdsSocket(pid: string, sockets: ReadonlySet<string>): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => sockets.has(readlinkSync(`/proc/${pid}/fd/${fd}`)));
  } catch {
    // Another user's process, or one that has just ended.
    return false;
  }
}

function readIfThere(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    // A kernel without IPv6 has no tcp6; a process may have ended meanwhile.
    return '';
  }
}
