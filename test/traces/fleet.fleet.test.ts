import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ServiceProcess, startProcess } from '../../services/worker/src/testing/start-process.ts';
import { dockerAnswers, startPostgres, startRedis, type TestContainer } from '../support/containers.ts';
import { type SeenCall, startRemoteServer } from '../support/remote-server.ts';
import { type OtlpReceiver, startOtlpReceiver } from './otlp-receiver.ts';

const TOKEN = 'upstream-secret-7316';
const answers = await dockerAnswers();

describe.skipIf(!answers)(`traces of the fleet${answers ? '' : ' (skipped: no Docker engine answers)'}`, () => {
  const directory = mkdtempSync(join(tmpdir(), 'fleet-traces-'));
  const internal = { worker: secret(), gateway: secret(), grant: secret() };
  const calls: SeenCall[] = [];
  const services: ServiceProcess[] = [];
  let postgres: TestContainer;
  let redis: TestContainer;
  let receiver: OtlpReceiver;
  let remote: Awaited<ReturnType<typeof startRemoteServer>>;
  let gatewayUrl: string;
  let key: string;

  beforeAll(async () => {
    receiver = await startOtlpReceiver();
    remote = await startRemoteServer('streamable', TOKEN, (call) => calls.push(call));
    const mcpServers = { remote: { url: remote.url, headers: { Authorization: `Bearer ${TOKEN}` }, trust: true } };
    writeFileSync(join(directory, 'servers.json'), JSON.stringify({ mcpServers }));
    [postgres, redis] = await Promise.all([startPostgres(), startRedis()]);
    const stores = { DATABASE_URL: postgres.url, REDIS_URL: redis.url };
    const proxy = await start('mcp-proxy', {
      ...stores,
      EXECUTOR_MCP_SERVERS: join(directory, 'servers.json'),
      EXECUTOR_DATA_DIR: folder('proxy'),
      EXECUTOR_GATEWAY_INTERNAL_KEY: internal.gateway,
      EXECUTOR_WORKER_INTERNAL_KEY: internal.worker,
      EXECUTOR_GRANT_KEY: internal.grant,
    });
    await start('worker', {
      REDIS_URL: redis.url,
      EXECUTOR_PROXY_URL: proxy.url,
      EXECUTOR_WORKER_INTERNAL_KEY: internal.worker,
      EXECUTOR_DATA_DIR: folder('worker'),
      EXECUTOR_POOL_TYPESCRIPT: '1',
      EXECUTOR_POOL_PYTHON: '0',
    });
    const gateway = await start('gateway', {
      ...stores,
      EXECUTOR_PROXY_URL: proxy.url,
      EXECUTOR_GATEWAY_INTERNAL_KEY: internal.gateway,
      EXECUTOR_ADMIN_KEY_FILE: join(directory, 'admin.key'),
    });
    gatewayUrl = gateway.url;
    key = readFileSync(join(directory, 'admin.key'), 'utf8').trim();
  }, 240_000);

  afterAll(async () => {
    for (const service of services) await service.stop('SIGTERM');
    await Promise.all([postgres?.stop(), redis?.stop(), remote?.close(), receiver?.close()]);
    rmSync(directory, { recursive: true, force: true });
  });

  const folder = (name: string): string => {
    mkdirSync(join(directory, name));
    return join(directory, name);
  };
  async function start(name: string, environment: Record<string, string>): Promise<ServiceProcess> {
    const main = fileURLToPath(new URL(`../../services/${name}/src/main.ts`, import.meta.url));
    const traced = { ...environment, OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url };
    const service = await startProcess({ main, logFile: join(directory, `${name}.log`), environment: traced });
    services.push(service);
    return service;
  }

  test('an execution with a tool call is one trace over gateway, worker, MCP proxy and upstream, and the logs join by it', async () => {
    const response = await fetch(`${gatewayUrl}/execute`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify({
        language: 'typescript',
        code: "console.log('printed-4711'); return await tools.remote.greet({ name: 'arg-4711' })",
      }),
    });
    const answer = (await response.json()) as { executionId: string; status: string };
    expect(answer).toMatchObject({ status: 'succeeded', effects: 'some', toolCalls: [{ outcome: 'ok' }] });
    const root = () =>
      receiver.spans.find(
        ({ service, attributes }) => service === 'gateway' && attributes['code_executor.execution.id'] === answer.executionId,
      );
    await expect.poll(root, { timeout: 10_000 }).toMatchObject({ name: 'POST /execute', parentSpanId: '' });
    const traceId = root()?.traceId ?? '';
    const taken = 'gateway POST /execute > worker execution';
    const call = `${taken} > worker run program > worker tool call`;
    await expect
      .poll(() => receiver.paths(traceId), { timeout: 10_000 })
      .toEqual(
        [
          'gateway POST /execute',
          'gateway POST /execute > worker queue wait',
          taken,
          ...['claim', 'prepare', 'wait for turn', 'claim sandbox', 'run program', 'write end'].map(
            (phase) => `${taken} > worker ${phase}`,
          ),
          call,
          `${call} > mcp-proxy tool call`,
          `${call} > mcp-proxy tool call > mcp-proxy tools/call`,
        ].sort(),
      );
    const upstream = receiver.spans.find((span) => span.traceId === traceId && span.name === 'tools/call');
    expect(calls).toEqual([upstream].map((span) => `00-${traceId}-${span?.spanId}-01`).map((said) => ({ header: said, meta: said })));

    const joined = { executionId: answer.executionId, traceId };
    const lines = () => services.flatMap((service) => service.log()).filter((line) => line.traceId === traceId);
    await expect
      .poll(lines, { timeout: 5_000 })
      .toEqual(
        expect.arrayContaining([
          expect.objectContaining({ service: 'gateway', msg: 'request', ...joined }),
          expect.objectContaining({ service: 'worker', msg: 'Execution ended', ...joined }),
          expect.objectContaining({ service: 'mcp-proxy', msg: 'Execution ended', ...joined }),
          expect.objectContaining({ service: 'mcp-proxy', msg: 'Tool call', ...joined }),
        ]),
      );
    const sent = receiver.bodies.join('\n');
    for (const hidden of ['4711', TOKEN, key, ...Object.values(internal)]) expect(sent).not.toContain(hidden);
  });
});

function secret(): string {
  return randomBytes(32).toString('base64url');
}
