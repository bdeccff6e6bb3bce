import { appendFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { z } from 'zod';

/** One call that has really reached the tool. */
export interface LedgerEntry {
  readonly nonce: string;
  readonly sequence: number;
  readonly idempotencyKey: string | null;
}

export interface LedgerServer {
  readonly url: string;
  entries(): Promise<LedgerEntry[]>;
  close(): Promise<void>;
}

const IDEMPOTENCY_META_KEY = 'code-executor/idempotency-key';
const writeArguments = { nonce: z.string(), sequence: z.int(), slowMs: z.int() };

/**
 * The tool that everything is counted by, out of reach of the faults. A call is in the file before it is answered; a slow one
 * takes its time before that and after it. Whoever hangs up meanwhile has made the call all the same.
 */
export async function startLedgerServer(file: string): Promise<LedgerServer> {
  appendFileSync(file, '');
  const http = createServer((request, response) => {
    answer(request, response, file).catch(() => response.destroy());
  });
  http.listen(0, '127.0.0.1');
  await new Promise((resolve) => http.once('listening', resolve));
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/mcp`,
    async entries() {
      const lines = (await readFile(file, 'utf8')).split('\n').filter((line) => line !== '');
      return lines.map((line) => JSON.parse(line) as LedgerEntry);
    },
    async close() {
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    },
  };
}

/** Keeps no sessions, so that nothing of it depends on who called before. */
async function answer(request: IncomingMessage, response: ServerResponse, file: string): Promise<void> {
  if (request.method !== 'POST') return void response.writeHead(405).end();
  const server = new McpServer({ name: 'ledger', version: '1' });
  server.registerTool(
    'write',
    { description: 'Writes one line into the ledger', inputSchema: writeArguments },
    async ({ nonce, sequence, slowMs }, { _meta: meta }) => {
      await sleep(slowMs / 2);
      const key = meta?.[IDEMPOTENCY_META_KEY];
      const entry: LedgerEntry = { nonce, sequence, idempotencyKey: typeof key === 'string' ? key : null };
      appendFileSync(file, `${JSON.stringify(entry)}\n`);
      await sleep(slowMs / 2);
      return { content: [{ type: 'text', text: `written ${sequence}` }] };
    },
  );
  const transport = new StreamableHTTPServerTransport({});
  await server.connect(transport as Transport);
  await transport.handleRequest(request, response);
}
