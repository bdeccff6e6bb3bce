import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type ExecutionEvent, newId } from '@code-executor/contracts';
import type { AcceptedExecution } from '../execution.ts';
import type { WorkerReport } from '../ledger/port.ts';
import type { EndedExecution } from '../store/finish-statement.ts';

/** A row as mcp-proxy's internal routes show it. */
export interface LedgerRow {
  readonly execution: AcceptedExecution;
  status: string;
  token: number;
  workerId: string | null;
  leaseUntilMs: number;
  cancelRequested: boolean;
  events: ExecutionEvent[];
  ended: EndedExecution | null;
}

/** `lost`: acted upon, and the connection dies before the answer. `refused`: the connection dies at once. `early`: no claim yet. */
type Fault = 'lost' | 'refused' | 'early' | 503;

export interface LedgerServer {
  readonly url: string;
  readonly rows: ReadonlyMap<string, LedgerRow>;
  readonly reports: readonly WorkerReport[];
  /** Every request, as `claim`, `renew`, `finish`, `events`. */
  readonly requests: readonly string[];
  catalogVersion: string;
  add(code: string, fields?: Partial<AcceptedExecution>): string;
  row(id: string): LedgerRow;
  /** The next `times` requests of this kind fail so. */
  fail(route: string, fault: Fault, times?: number): void;
  /** Nothing answers until `up`. */
  down(): Promise<void>;
  up(): Promise<void>;
  close(): Promise<void>;
}

/** The far side of a worker's network: mcp-proxy's ledger routes over rows in memory, with leases and fencing tokens. */
export async function openLedgerServer({ leaseMs }: { leaseMs: number }): Promise<LedgerServer> {
  const rows = new Map<string, LedgerRow>();
  const reports: WorkerReport[] = [];
  const requests: string[] = [];
  const faults = new Map<string, { fault: Fault; times: number }>();
  const server: Server = createServer((request, response) => void serve(request, response));
  const listen = async (port: number): Promise<void> => {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
  };
  await listen(0);
  const { port } = server.address() as AddressInfo;
  const down = async (): Promise<void> => {
    server.close();
    server.closeAllConnections();
    if (server.listening) await once(server, 'close');
  };

  const ledger: LedgerServer = {
    url: `http://127.0.0.1:${port}`,
    rows,
    reports,
    requests,
    catalogVersion: 'v1',
    add(code, fields = {}) {
      const id = newId('exe');
      const execution: AcceptedExecution = {
        id,
        workspaceId: 'wsp_default',
        principalId: 'key_test',
        requestId: 'req_test',
        language: 'typescript',
        code,
        args: {},
        files: {},
        timeoutMs: 30_000,
        typecheck: false,
        createdAt: new Date(),
        ...fields,
      };
      const empty = { token: 0, workerId: null, leaseUntilMs: 0, cancelRequested: false, events: [], ended: null };
      rows.set(id, { execution, status: 'queued', ...empty });
      return id;
    },
    row,
    fail: (route, fault, times = 1) => void faults.set(route, { fault, times }),
    down,
    up: () => listen(port),
    close: down,
  };
  return ledger;

  function row(id: string): LedgerRow {
    const found = rows.get(id);
    if (found === undefined) throw new Error(`there is no row ${id}`);
    return found;
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const route = request.url?.split('/').at(-1) ?? '';
    requests.push(route);
    const planned = faults.get(route);
    const fault = planned !== undefined && planned.times > 0 ? planned.fault : null;
    if (planned !== undefined) planned.times -= 1;
    if (fault === 'refused') {
      request.socket.destroy();
      return;
    }
    if (fault === 503) {
      answer(response, 503, { error: { code: 'LEDGER_UNAVAILABLE', message: 'the database is away' } });
      return;
    }
    if (fault === 'early') {
      answer(response, 200, null);
      return;
    }
    const { status, body } = act(route, request, JSON.parse(Buffer.concat(chunks).toString()));
    if (fault === 'lost') request.socket.destroy();
    else answer(response, status, body);
  }

  // biome-ignore lint/suspicious/noExplicitAny: the bodies are whatever the worker sent
  function act(route: string, request: IncomingMessage, body: any): { status: number; body: unknown } {
    if (route === 'claim') return { status: 200, body: claim(body.executionId, body.workerId) };
    if (route === 'renew') return { status: 200, body: renew(body.report, body.held) };
    const id = request.url?.split('/').at(-2) ?? '';
    const entry = row(id);
    if (request.headers.authorization !== `Bearer grant-${id}-${entry.token}`) return stale();
    if (route === 'events') {
      if (entry.status !== 'running' || body.token !== entry.token) return stale();
      entry.events.push(...body.events);
      return { status: 200, body: {} };
    }
    const isWritten = entry.status === 'running' && entry.token === body.ended.token;
    if (isWritten) {
      entry.status = body.ended.outcome.status;
      entry.ended = body.ended;
    }
    return { status: 200, body: { written: isWritten, record: { executionId: id, status: entry.status } } };
  }

  function claim(id: string, workerId: string): unknown {
    const entry = row(id);
    const isHeldByThem = entry.status === 'running' && entry.workerId === workerId && entry.token === 1;
    if (entry.status !== 'queued' && !isHeldByThem) return null;
    if (entry.status === 'queued') entry.token += 1;
    entry.status = 'running';
    entry.workerId = workerId;
    entry.leaseUntilMs = performance.now() + leaseMs;
    const execution = { ...entry.execution, token: entry.token };
    return { execution, grant: `grant-${id}-${entry.token}`, catalogVersion: ledger.catalogVersion };
  }

  function renew(report: WorkerReport, held: readonly { executionId: string; token: number }[]): unknown {
    reports.push(report);
    const lost: string[] = [];
    const cancelled: string[] = [];
    for (const { executionId, token } of held) {
      const entry = row(executionId);
      if (entry.status !== 'running' || entry.token !== token) lost.push(executionId);
      else {
        entry.leaseUntilMs = performance.now() + leaseMs;
        if (entry.cancelRequested) cancelled.push(executionId);
      }
    }
    return { lost, cancelled, catalogVersion: ledger.catalogVersion };
  }
}

const stale = () => ({ status: 409, body: { error: { code: 'STALE_CLAIM', message: 'the claim has lapsed' } } });

function answer(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
