import { once } from 'node:events';
import { createServer } from 'node:net';
import { pino } from 'pino';
import { expect, test, vi } from 'vitest';
import { startTracing } from './start-tracing.ts';
import { parseTraceparent, traceIdOf, traceparentWithin } from './traceparent.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const OTHER = '1af7651916cd43dd8448eb211c80319c';
const OWN = `00-${TRACE}-b7ad6b7169203331-01`;

test('a traceparent is read as W3C Trace Context says, and anything else is none', () => {
  expect(parseTraceparent(OWN)).toEqual({ traceId: TRACE, spanId: 'b7ad6b7169203331', isSampled: true });
  expect(parseTraceparent(`00-${TRACE}-b7ad6b7169203331-00`)?.isSampled).toBe(false);
  // A later version may say more at the end.
  expect(traceIdOf(`cc-${TRACE}-b7ad6b7169203331-01-what-the-future-holds`)).toBe(TRACE);
  const wrong = [
    `${OWN}-more`,
    `ff-${TRACE}-b7ad6b7169203331-01`,
    `00-${TRACE.toUpperCase()}-b7ad6b7169203331-01`,
    `00-${'0'.repeat(32)}-b7ad6b7169203331-01`,
    `00-${TRACE}-${'0'.repeat(16)}-01`,
    ` ${OWN}`,
    '',
    [OWN, OWN],
    undefined,
    null,
  ];
  for (const header of wrong) expect(parseTraceparent(header)).toBeNull();
});

test('who is not trusted may name a span of its own trace, and neither join another nor have it recorded', () => {
  expect(traceparentWithin(OWN, `00-${TRACE}-1111111111111111-01`)).toBe(`00-${TRACE}-1111111111111111-01`);
  expect(traceparentWithin(OWN, `00-${OTHER}-1111111111111111-01`)).toBe(OWN);
  expect(traceparentWithin(OWN, 'rubbish')).toBe(OWN);
  expect(traceparentWithin(`00-${TRACE}-b7ad6b7169203331-00`, `00-${TRACE}-1111111111111111-01`)).toBe(`00-${TRACE}-1111111111111111-00`);
  expect(traceparentWithin(undefined, `00-${TRACE}-1111111111111111-01`)).toBeUndefined();
});

test('a collector that never answers is said once, holds nothing up, and lets the service close within seconds', async () => {
  const silent = createServer(() => undefined).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const address = silent.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const lines: string[] = [];
  const log = pino({ level: 'info' }, { write: (line: string) => void lines.push(line) });
  const settings = { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`, OTEL_TRACES_SAMPLER_ARG: 1 };
  try {
    const tracing = await startTracing(settings, { service: 'test', version: '0', log, open: (_name, part) => part });
    const beganMs = performance.now();
    for (let count = 0; count < 20_000; count += 1) tracing?.start('span', { parent: OWN }).end();
    expect(performance.now() - beganMs).toBeLessThan(5_000);
    await vi.waitFor(() => expect(lines.filter((line) => line.includes('Traces cannot be sent'))).toHaveLength(1), { timeout: 15_000 });
    const closingMs = performance.now();
    await tracing?.close();
    expect(performance.now() - closingMs).toBeLessThan(3_000);
  } finally {
    silent.close();
  }
});
