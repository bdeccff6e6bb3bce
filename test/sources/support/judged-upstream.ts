import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../../support/free-port.ts';

/** A request as it came to a mock server, and what that found wrong with it. */
export interface JudgedRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly status: number;
  /** Empty: the request is what the document asks for. */
  readonly violations: string;
}

export interface JudgedUpstream {
  readonly url: string;
  readonly requests: JudgedRequest[];
  close(): Promise<void>;
}

const READY_MS = 60_000;

/** Prism over a document, and in front of it somebody who writes down what it is asked and what it says to that. */
export async function startPrism(mocks: string, document: unknown, directory: string, name: string): Promise<JudgedUpstream> {
  const file = join(directory, `${name}.json`);
  writeFileSync(file, JSON.stringify(document));
  const port = await freePort();
  const prism = spawn(
    process.execPath,
    [join(mocks, 'node_modules/.bin/prism'), 'mock', '--errors', '-p', String(port), '-h', '127.0.0.1', file],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  let said = '';
  for (const stream of [prism.stdout, prism.stderr]) stream.on('data', (chunk: Buffer) => (said = (said + chunk).slice(-4_000)));
  const requests: JudgedRequest[] = [];
  const front = createServer(async (incoming, response) => {
    const body = Buffer.concat(await incoming.toArray());
    const { method = '', url = '', headers } = incoming;
    const onwards = request({ host: '127.0.0.1', port, method, path: url, headers }, async (answer) => {
      const reply = Buffer.concat(await answer.toArray());
      const { 'sl-violations': violations = '', ...rest } = answer.headers;
      const status = answer.statusCode ?? 0;
      const asked = requestViolations(String(violations));
      const problem = /stoplight\.io\/prism\/errors#(?!NO_RESPONSE|NO_COMPLEX)/.test(reply.toString()) ? reply.toString() : '';
      requests.push({
        method,
        path: url,
        headers,
        body: body.toString('latin1'),
        status,
        violations: asked || (violations === '' ? problem : ''),
      });
      response.writeHead(status, rest).end(reply);
    });
    onwards.on('error', () => response.destroy());
    onwards.end(body);
  });
  front.listen(0, '127.0.0.1');
  const close = async (): Promise<void> => {
    front.closeAllConnections();
    front.close();
    if (prism.exitCode !== null || prism.signalCode !== null) return;
    const gone = once(prism, 'exit');
    prism.kill('SIGKILL');
    await gone;
  };
  try {
    await once(front, 'listening');
    await untilListening(prism, port, () => said);
  } catch (error) {
    await close();
    throw error;
  }
  return { url: `http://127.0.0.1:${(front.address() as AddressInfo).port}`, requests, close };
}

/** Mock answers that do not fit their own document are no fault of who asks. */
function requestViolations(header: string): string {
  if (header === '') return '';
  const found = JSON.parse(header) as { location: string[] }[];
  const ours = found.filter(({ location }) => location[0] !== 'response');
  return ours.length === 0 ? '' : JSON.stringify(ours);
}

async function untilListening(prism: ChildProcess, port: number, said: () => string): Promise<void> {
  const deadline = performance.now() + READY_MS;
  for (;;) {
    if (prism.exitCode !== null) throw new Error(`Prism ended with ${prism.exitCode}: ${said()}`);
    if (performance.now() > deadline) throw new Error(`Prism does not listen after ${READY_MS} ms: ${said()}`);
    const answers = await fetch(`http://127.0.0.1:${port}/`).then(
      () => true,
      () => false,
    );
    if (answers) return;
    await sleep(100);
  }
}
