import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { z } from 'zod';

export interface ReceivedSpan {
  readonly service: string;
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly attributes: Readonly<Record<string, unknown>>;
}

const attribute = z.object({ key: z.string(), value: z.record(z.string(), z.unknown()) });
const request = z.object({
  resourceSpans: z.array(
    z.object({
      resource: z.object({ attributes: z.array(attribute) }),
      scopeSpans: z.array(
        z.object({
          spans: z.array(
            z.object({
              traceId: z.string(),
              spanId: z.string(),
              parentSpanId: z.string().optional(),
              name: z.string(),
              startTimeUnixNano: z.string(),
              endTimeUnixNano: z.string(),
              attributes: z.array(attribute),
            }),
          ),
        }),
      ),
    }),
  ),
});

/** A collector of OTLP over HTTP on loopback that keeps what it is sent: the spans, and every body as it came. */
export async function startOtlpReceiver() {
  const spans: ReceivedSpan[] = [];
  const bodies: string[] = [];
  const headers: Record<string, unknown>[] = [];
  const http = createServer(async (incoming, response) => {
    const text = Buffer.concat(await incoming.toArray()).toString('utf8');
    bodies.push(text);
    headers.push(incoming.headers);
    if (incoming.url !== '/v1/traces') return void response.writeHead(404).end();
    spans.push(...readSpans(text));
    response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    spans,
    bodies,
    headers,
    /** Each span of the trace with its ancestors, from the first: `gateway POST /execute > worker execution`. */
    paths: (traceId: string) =>
      spans
        .filter((span) => span.traceId === traceId)
        .map((span) => pathOf(span, spans))
        .sort(),
    async close() {
      http.closeAllConnections();
      http.close();
      await once(http, 'close');
    },
  };
}

export type OtlpReceiver = Awaited<ReturnType<typeof startOtlpReceiver>>;

function readSpans(text: string): ReceivedSpan[] {
  return request.parse(JSON.parse(text)).resourceSpans.flatMap(({ resource, scopeSpans }) => {
    const service = String(plain(resource.attributes)['service.name']);
    return scopeSpans.flatMap((scope) =>
      scope.spans.map(({ attributes, startTimeUnixNano, endTimeUnixNano, parentSpanId = '', ...span }) => ({
        ...span,
        service,
        parentSpanId,
        startMs: Number(BigInt(startTimeUnixNano) / 1_000n) / 1_000,
        endMs: Number(BigInt(endTimeUnixNano) / 1_000n) / 1_000,
        attributes: plain(attributes),
      })),
    );
  });
}

const plain = (attributes: z.infer<typeof attribute>[]): Record<string, unknown> =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));

function pathOf(span: ReceivedSpan, spans: readonly ReceivedSpan[]): string {
  const parent = spans.find(({ spanId }) => spanId === span.parentSpanId);
  const own = `${span.service} ${span.name}`;
  return parent === undefined ? own : `${pathOf(parent, spans)} > ${own}`;
}
