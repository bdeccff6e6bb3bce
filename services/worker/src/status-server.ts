import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { WorkerExecutions } from '@code-executor/executions';
import { metricsText } from '@code-executor/platform';
import type { SandboxPool } from '@code-executor/sandbox';
import type { Registry } from 'prom-client';

export interface StatusServerOptions {
  readonly host: string;
  readonly port: number;
  readonly about: { readonly workerId: string; readonly version: string; readonly startedAt: number };
  readonly executions: Pick<WorkerExecutions, 'stats'>;
  readonly pool: Pick<SandboxPool, 'stats'>;
  readonly queueAnswers: () => boolean;
  readonly metrics: Registry;
}

export interface StatusServer {
  readonly address: string;
  close(): Promise<void>;
}

/** A ledger that has not renewed for this long, a lease's time, does not answer. */
const RENEWAL_FRESH_MS = 4_000;
const REQUEST_TIMEOUT_MS = 5_000;

/** `/health`, `/health/ready` and `/metrics`, for whoever watches the worker. Throws what listening throws. */
export async function openStatusServer(options: StatusServerOptions): Promise<StatusServer> {
  const server = createServer({ requestTimeout: REQUEST_TIMEOUT_MS, headersTimeout: REQUEST_TIMEOUT_MS }, (request, response) => {
    answer(request, response, options).catch((error: unknown) => response.destroy(error instanceof Error ? error : undefined));
  });
  server.listen(options.port, options.host);
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : options.port;
  return {
    address: `http://${options.host}:${port}`,
    async close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

async function answer(request: IncomingMessage, response: ServerResponse, options: StatusServerOptions): Promise<void> {
  const path = request.url?.split('?', 1)[0];
  if (request.method !== 'GET') send(response, 405, { error: { code: 'METHOD_NOT_ALLOWED', message: 'GET only.' } });
  else if (path === '/health') send(response, 200, { status: missing(options).length === 0 ? 'ok' : 'degraded', ...describe(options) });
  else if (path === '/health/ready') sendReadiness(response, options);
  else if (path === '/metrics') {
    const text = await metricsText(options.metrics);
    response.writeHead(200, { 'content-type': options.metrics.contentType }).end(text);
  } else send(response, 404, { error: { code: 'NOT_FOUND', message: 'No such route.' } });
}

function sendReadiness(response: ServerResponse, options: StatusServerOptions): void {
  const lacking = missing(options);
  send(response, lacking.length === 0 ? 200 : 503, { ready: lacking.length === 0, missing: lacking });
}

function send(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

function describe({ about, executions, pool }: StatusServerOptions): object {
  const { workerId, version, startedAt } = about;
  return {
    workerId,
    version,
    uptimeSeconds: Math.round((Date.now() - startedAt) / 1000),
    executions: executions.stats(),
    pool: pool.stats(),
  };
}

/** What keeps it from running the next program at once. */
function missing({ executions, pool, queueAnswers }: StatusServerOptions): string[] {
  const { renewedMsAgo, draining, taking } = executions.stats();
  const { warm, target, hits, lastBootError } = pool.stats();
  const lacking: string[] = [];
  if (draining) lacking.push('it is stopping');
  if (!queueAnswers()) lacking.push('Redis does not answer');
  if (renewedMsAgo === null || renewedMsAgo > RENEWAL_FRESH_MS) lacking.push('mcp-proxy does not answer');
  if (!taking) lacking.push('the wrappers of the tools are not here yet');
  if (lastBootError !== null) lacking.push('sandboxes do not boot');
  // One that programs empty faster than it fills was warm, and is no fault.
  else if (hits === 0 && sum(target) > 0 && sum(warm) === 0) lacking.push('the pool is not warm yet');
  return lacking;
}

const sum = (counts: Readonly<Record<string, number>>): number => Object.values(counts).reduce((total, count) => total + count, 0);
