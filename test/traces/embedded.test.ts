import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type SeenCall, startRemoteServer } from '../support/remote-server.ts';
import { type Service, startService } from '../support/start-service.ts';
import { type OtlpReceiver, startOtlpReceiver } from './otlp-receiver.ts';

const TOKEN = 'upstream-secret-7316';
const TRACE_ID = '0af7651916cd43dd8448eb211c80319c';
const CALLER_SPAN = 'b7ad6b7169203331';
const directory = mkdtempSync(join(tmpdir(), 'traces-'));
const calls: SeenCall[] = [];
let receiver: OtlpReceiver;
let remote: Awaited<ReturnType<typeof startRemoteServer>>;
let traced: Service;
let plain: Service;

beforeAll(async () => {
  receiver = await startOtlpReceiver();
  remote = await startRemoteServer('streamable', TOKEN, (call) => calls.push(call));
  const mcpServers = { remote: { url: remote.url, headers: { Authorization: `Bearer ${TOKEN}` }, trust: true } };
  writeFileSync(join(directory, 'servers.json'), JSON.stringify({ mcpServers }));
  const start = (name: string, environment: Record<string, string>): Promise<Service> => {
    mkdirSync(join(directory, name));
    return startService(join(directory, name), {
      EXECUTOR_MCP_SERVERS: join(directory, 'servers.json'),
      EXECUTOR_POOL_PYTHON: '0',
      EXECUTOR_POOL_TYPESCRIPT: '1',
      NODE_OPTIONS: `--import ${fileURLToPath(new URL('./note-modules.ts', import.meta.url))}`,
      NOTE_MODULES_FILE: join(directory, `${name}.modules`),
      ...environment,
    });
  };
  traced = await start('traced', { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, OTEL_EXPORTER_OTLP_HEADERS: 'x-collector-key=s%20t' });
  plain = await start('plain', {});
}, 180_000);

afterAll(async () => {
  await Promise.all([traced?.stop(), plain?.stop(), remote?.close(), receiver?.close()]);
  rmSync(directory, { recursive: true, force: true });
});

const execute = async ({ url, key }: Service, headers: Record<string, string> = {}) => {
  const response = await fetch(`${url}/execute`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...headers },
    body: JSON.stringify({
      language: 'typescript',
      code: "console.log('printed-4711'); return await tools.remote.greet({ name: 'argument-4711' })",
    }),
  });
  return (await response.json()) as { executionId: string; status: string; toolCalls: { outcome: string }[] };
};
const logOf = (service: Service) =>
  readFileSync(service.logFile, 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Record<string, unknown>);
const modulesOf = (name: string): Set<string> => {
  const file = join(directory, `${name}.modules`);
  writeFileSync(file, '', { flag: 'a' });
  return new Set(readFileSync(file, 'utf8').split('\n').filter(Boolean));
};

test("an execution with a tool call is one trace, joined to the caller's, down to the upstream server", async () => {
  const answer = await execute(traced, { traceparent: `00-${TRACE_ID}-${CALLER_SPAN}-01` });
  expect(answer).toMatchObject({ status: 'succeeded', toolCalls: [{ outcome: 'ok' }] });
  const root = 'standalone POST /execute';
  const run = `${root} > standalone execution > standalone run program`;
  await expect
    .poll(() => receiver.paths(TRACE_ID), { timeout: 10_000 })
    .toEqual(
      [
        root,
        `${root} > standalone execution`,
        `${root} > standalone execution > standalone claim`,
        `${root} > standalone execution > standalone claim sandbox`,
        `${root} > standalone execution > standalone prepare`,
        run,
        `${run} > standalone tool call`,
        `${run} > standalone tool call > standalone tools/call`,
        `${root} > standalone execution > standalone write end`,
        `${root} > standalone queue wait`,
      ].sort(),
    );
  const named = (name: string) => receiver.spans.find((span) => span.traceId === TRACE_ID && span.name === name);
  expect(named('POST /execute')).toMatchObject({
    parentSpanId: CALLER_SPAN,
    attributes: { 'code_executor.execution.id': answer.executionId, 'http.response.status_code': 200 },
  });
  expect(named('tool call')?.attributes).toMatchObject({
    'code_executor.execution.id': answer.executionId,
    'code_executor.tool.server': 'remote',
    'code_executor.tool.name': 'greet',
    'code_executor.tool.decision': 'allow',
    'code_executor.tool.outcome': 'ok',
  });
  for (const { name, startMs, endMs } of receiver.spans) expect(endMs - startMs, name).toBeGreaterThanOrEqual(0);
  const upstream = `00-${TRACE_ID}-${named('tools/call')?.spanId}-01`;
  expect(calls).toEqual([{ header: upstream, meta: upstream }]);
});

test('no span says what a program is, is given, does or prints, and no key', () => {
  const sent = receiver.bodies.join('\n');
  expect(sent).toContain(TRACE_ID);
  for (const secret of ['4711', TOKEN, traced.key, 'console.log', 'hello']) expect(sent).not.toContain(secret);
  expect(receiver.headers[0]).toMatchObject({ 'x-collector-key': 's t' });
});

test('the lines of the log about an execution, its request and its calls carry the trace', async () => {
  await expect
    .poll(
      () =>
        logOf(traced)
          .filter(({ traceId }) => traceId === TRACE_ID)
          .map(({ msg }) => msg),
      { timeout: 5_000 },
    )
    .toEqual(expect.arrayContaining(['Tool call', 'Execution ended', 'request']));
});

test('a traceparent that is none begins a trace of its own', async () => {
  const before = receiver.spans.length;
  await execute(traced, { traceparent: '00-00000000000000000000000000000000-b7ad6b7169203331-01' });
  await expect
    .poll(() => receiver.spans.slice(before).find(({ name }) => name === 'POST /execute')?.parentSpanId, { timeout: 10_000 })
    .toBe('');
});

test('without a collector nothing of the SDK is loaded, nothing is told upstream, and the log has no trace', async () => {
  calls.length = 0;
  expect(await execute(plain, { traceparent: `00-${TRACE_ID}-${CALLER_SPAN}-01` })).toMatchObject({ status: 'succeeded' });
  expect(calls).toEqual([{ header: undefined, meta: undefined }]);
  // prom-client brings the API package, which does nothing by itself.
  expect([...modulesOf('plain')].filter((name) => name !== '@opentelemetry/api')).toEqual([]);
  expect(modulesOf('traced')).toContain('@opentelemetry/sdk-trace');
  await expect.poll(() => logOf(plain).find(({ msg }) => msg === 'Execution ended'), { timeout: 5_000 }).toMatchObject({ traceId: null });
});
