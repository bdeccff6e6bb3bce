import { type ChildProcess, spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '@code-executor/platform';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import type { JSONRPCMessage } from '@modelcontextprotocol/sdk/types.js';
import { createLineReader, type OversizedLine } from './line-reader.ts';

/** A reply of 8 MB comes as a line of up to about twice that: escaped, and often both as text and as structured content. */
const LINE_CAP_BYTES = 24 * 1024 * 1024;
/** A server that goes on past this without a newline is not going to say anything. */
const FLOOD_BYTES = 128 * 1024 * 1024;
const GRACE_MS = 1_000;
/** JSON-RPC code of ours for a reply that was dropped for its size. */
export const OVERSIZED_REPLY_CODE = -32_099;
const MALFORMED_REPLY_CODE = -32_098;

export interface StdioServerProcess {
  readonly bwrapPath: string;
  /** Options of bubblewrap, without the command. */
  readonly sandboxArguments: readonly string[];
  readonly command: string;
  readonly args: readonly string[];
  onStderr(chunk: Buffer): void;
  /** A line of stdout that is no JSON-RPC message. */
  onRubbish(line: string): void;
}

export interface StdioTransport extends Transport {
  /** How the process ended, in words; null while it runs. */
  ending(): string | null;
}

/**
 * One sandboxed server process, JSON-RPC in lines on its stdin and stdout. The SDK's own transport neither bounds a line
 * nor reaches a process behind bubblewrap, and parses each message three times.
 */
export function createStdioTransport(server: StdioServerProcess): StdioTransport {
  let child: ChildProcess | null = null;
  let ending: string | null = null;
  let closing: Promise<void> | null = null;
  let exited: Promise<void> = Promise.resolve();
  let initPid: Promise<number | null> = Promise.resolve(null);

  const transport: StdioTransport = {
    ending: () => ending,
    async start() {
      const started = spawn(server.bwrapPath, ['--args', '3', '--info-fd', '4', '--', server.command, ...server.args], {
        env: {},
        // bubblewrap changes to the server's own folder; this one always exists.
        cwd: '/',
        stdio: ['pipe', 'pipe', 'pipe', 'pipe', 'pipe'],
        detached: true,
      });
      child = started;
      exited = new Promise((resolve) => {
        started.once('close', (code, signal) => {
          ending ??= signal === null ? `exited with code ${code}` : `was ended by ${signal}`;
          resolve();
          transport.onclose?.();
        });
      });
      const [, , , argumentPipe, infoPipe] = started.stdio;
      initPid = readInitPid(infoPipe as Readable);
      quietly(argumentPipe as Writable).end(server.sandboxArguments.map((argument) => `${argument}\0`).join(''));
      if (started.stdin !== null) quietly(started.stdin);
      const lines = createLineReader({
        capBytes: LINE_CAP_BYTES,
        onLine: (line) => receive(line, transport, server),
        onOversized: (line) => refuse(line, transport, server),
        onGrowing: (bytes) => {
          if (bytes < FLOOD_BYTES || closing !== null) return;
          ending = `was ended because it sent a line of more than ${FLOOD_BYTES / 1024 / 1024} MB`;
          started.kill('SIGKILL');
        },
      });
      started.stdout?.on('data', (chunk: Buffer) => lines.push(chunk));
      started.stderr?.on('data', (chunk: Buffer) => server.onStderr(chunk));
      await new Promise<void>((resolve, reject) => {
        started.once('spawn', resolve);
        started.once('error', (error) => {
          ending ??= `could not be started: ${messageOf(error)}`;
          reject(error);
        });
      });
    },
    send(message) {
      const stdin = child?.stdin;
      if (stdin === null || stdin === undefined || !stdin.writable) return Promise.reject(new Error('The server process is gone'));
      return new Promise((resolve, reject) => stdin.write(`${JSON.stringify(message)}\n`, (error) => (error ? reject(error) : resolve())));
    },
    close() {
      closing ??= end();
      return closing;
    },
  };

  /** stdin closed, then SIGTERM, then SIGKILL. The last one takes the whole pid namespace, so nothing outlives it. */
  async function end(): Promise<void> {
    if (child === null || child.pid === undefined) return;
    ending ??= 'was stopped';
    const running = child;
    const gone = exited.then(() => true);
    const waited = async (): Promise<boolean> => Promise.race([gone, sleep(GRACE_MS, false, { ref: false })]);
    running.stdin?.end();
    if (await waited()) return;
    for (const pid of await serverPids(await Promise.race([initPid, sleep(GRACE_MS, null, { ref: false })]))) signal(pid, 'SIGTERM');
    if (await waited()) return;
    running.kill('SIGKILL');
    await exited;
  }
  return transport;
}

function receive(line: string, transport: Transport, server: StdioServerProcess): void {
  if (line.trim() === '') return;
  const message = line.startsWith('{') || line.trimStart().startsWith('{') ? parseMessage(line) : null;
  if (message === null) server.onRubbish(line.slice(0, 500));
  else transport.onmessage?.(message);
}

/** Answers the request in the reply's place: a caller must not wait for an answer that was dropped. */
function refuse(line: OversizedLine, transport: Transport, server: StdioServerProcess): void {
  const id =
    /"id":\s*(\d{1,15})\s*\}\s*$/.exec(line.tail)?.[1] ??
    /^\s*\{\s*(?:"jsonrpc":\s*"2\.0",\s*)?"id":\s*(\d{1,15})\s*,/.exec(line.head)?.[1];
  server.onRubbish(`a line of ${line.bytes} bytes was dropped`);
  if (id === undefined) return;
  transport.onmessage?.({
    jsonrpc: '2.0',
    id: Number(id),
    error: { code: OVERSIZED_REPLY_CODE, message: `the reply has ${line.bytes} bytes` },
  });
}

function parseMessage(line: string): JSONRPCMessage | null {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value !== 'object' || value === null || !('jsonrpc' in value) || value.jsonrpc !== '2.0') return null;
    // The protocol layer drops an answer of another shape, and its caller would wait for the timeout.
    if ('id' in value && typeof value.id === 'number' && !('method' in value) && !isAnswer(value)) {
      return {
        jsonrpc: '2.0',
        id: value.id,
        error: { code: MALFORMED_REPLY_CODE, message: 'the answer is not of the shape that the protocol asks for' },
      };
    }
    // The rest is checked there against the expected shape.
    return value as JSONRPCMessage;
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof RangeError) return null;
    throw error;
  }
}

function isAnswer(message: object): boolean {
  if ('result' in message) return typeof message.result === 'object' && message.result !== null && !Array.isArray(message.result);
  if (!('error' in message) || typeof message.error !== 'object' || message.error === null) return false;
  return (
    'code' in message.error &&
    Number.isInteger(message.error.code) &&
    'message' in message.error &&
    typeof message.error.message === 'string'
  );
}

async function readInitPid(info: Readable): Promise<number | null> {
  let text = '';
  info.on('error', () => undefined);
  for await (const chunk of info.setEncoding('utf8')) text += String(chunk);
  const pid = /"child-pid":\s*(\d+)/.exec(text)?.[1];
  return pid === undefined ? null : Number(pid);
}

/** The server itself: the child of the namespace's init. bubblewrap passes no signals on. */
async function serverPids(init: number | null): Promise<number[]> {
  if (init === null) return [];
  const children = await readFile(`/proc/${init}/task/${init}/children`, 'utf8').catch(() => '');
  return children.split(' ').filter(Boolean).map(Number);
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}

/** A pipe to a process that died reports EPIPE; the process's end is what is acted upon. */
function quietly(stream: Writable): Writable {
  stream.on('error', () => undefined);
  return stream;
}
