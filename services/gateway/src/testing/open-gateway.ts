import type { AddressInfo } from 'node:net';
import { pino } from 'pino';
import { buildGateway } from '../app.ts';
import type { GatewayConfigInput } from '../config.ts';
import { MemoryAudit } from './memory-audit.ts';
import { MemoryExecutions } from './memory-executions.ts';
import { MemoryKeys } from './memory-keys.ts';
import { MemoryTools } from './memory-tools.ts';

export const KEYS = { admin: 'admin-key', operator: 'operator-key', agent: 'agent-key', other: 'other-agent-key' } as const;

export type OpenGateway = Awaited<ReturnType<typeof openGateway>>;

/** A gateway over ports in memory, not listening; what it logs is in `logLines`. */
export async function openGateway(config: GatewayConfigInput = {}) {
  const executions = new MemoryExecutions();
  const keys = new MemoryKeys();
  const tools = new MemoryTools();
  const audit = new MemoryAudit();
  const logLines: string[] = [];
  const records = {
    admin: keys.add(KEYS.admin, 'admin'),
    operator: keys.add(KEYS.operator, 'operator'),
    agent: keys.add(KEYS.agent, 'agent'),
    other: keys.add(KEYS.other, 'agent'),
  };
  const app = await buildGateway({
    executions,
    keys,
    tools,
    audit,
    config,
    log: pino({ level: 'debug' }, { write: (line: string) => void logLines.push(line) }),
    poolStats: () => ({ hits: 3, misses: 1, warm: { typescript: 2, python: 1 } }),
    version: '0.0.0-test',
    startedAt: Date.now(),
  });

  /** Asks through inject, as an agent unless another key (or null: none) is given. */
  async function ask(method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE', url: string, options: AskOptions = {}) {
    const { key = KEYS.agent, body, raw, headers = {} } = options;
    const payload = raw ?? (body === undefined ? undefined : JSON.stringify(body));
    const response = await app.inject({
      method,
      url,
      headers: {
        ...(key === null ? {} : { authorization: `Bearer ${key}` }),
        ...(payload === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(payload === undefined ? {} : { payload }),
    });
    return { status: response.statusCode, headers: response.headers, text: response.body, json: () => JSON.parse(response.body) };
  }

  async function listen(): Promise<{ readonly port: number; readonly url: string }> {
    await app.listen({ host: '127.0.0.1', port: 0 });
    const { port } = app.server.address() as AddressInfo;
    return { port, url: `http://127.0.0.1:${port}` };
  }

  return { app, executions, keys, tools, audit, records, logLines, ask, listen };
}

interface AskOptions {
  readonly key?: string | null;
  readonly body?: unknown;
  readonly raw?: string | Buffer;
  readonly headers?: Record<string, string>;
}
