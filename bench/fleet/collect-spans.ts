import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface CollectedSpan {
  readonly traceId: string;
  readonly name: string;
  /** Milliseconds since the epoch. */
  readonly startMs: number;
  readonly endMs: number;
  readonly executionId: string | null;
}

interface SpanMessage {
  readonly traceId: string;
  readonly name: string;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes?: readonly { readonly key: string; readonly value: { readonly stringValue?: string } }[];
}

interface TraceMessage {
  readonly resourceSpans: readonly { readonly scopeSpans: readonly { readonly spans: readonly SpanMessage[] }[] }[];
}

/** An OTLP collector that keeps what it is sent. */
export async function collectSpans() {
  const spans: CollectedSpan[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = await request.toArray();
    const { resourceSpans } = JSON.parse(Buffer.concat(chunks).toString('utf8')) as TraceMessage;
    for (const { scopeSpans } of resourceSpans) for (const { spans: sent } of scopeSpans) spans.push(...sent.map(read));
    response.setHeader('content-type', 'application/json').end('{}');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

function read({ traceId, name, startTimeUnixNano, endTimeUnixNano, attributes = [] }: SpanMessage): CollectedSpan {
  const executionId = attributes.find(({ key }) => key === 'code_executor.execution.id')?.value.stringValue ?? null;
  return { traceId, name, startMs: milliseconds(startTimeUnixNano), endMs: milliseconds(endTimeUnixNano), executionId };
}

const milliseconds = (nanoseconds: string): number => Number(BigInt(nanoseconds) / 1_000n) / 1_000;
