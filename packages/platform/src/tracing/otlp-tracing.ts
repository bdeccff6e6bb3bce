import { setTimeout as sleep } from 'node:timers/promises';
import { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  type SpanExporter,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import { messageOf } from '../errors.ts';
import type { Logger } from '../logger.ts';
import type { Span, SpanAttributes, SpanOptions, Tracing } from './port.ts';
import { formatTraceparent, parseTraceparent } from './traceparent.ts';

export interface OtlpTracingOptions {
  readonly service: string;
  readonly version: string;
  readonly log: Logger;
  /** Base address of the collector. */
  readonly endpoint: string;
  readonly headers: Readonly<Record<string, string>>;
  /** From 0 to 1. */
  readonly sampledShare: number;
}

const EXPORT_EVERY_MS = 1_000;
const EXPORT_TIMEOUT_MS = 5_000;
/** Above it spans are dropped: a collector that is away costs traces and nothing else. */
const MOST_KEPT_SPANS = 8_192;
/** Longer names and codes are cut; all of ours are shorter. */
const VALUE_LENGTH_LIMIT = 256;
const CLOSE_MS = 2_000;

const KINDS = { internal: SpanKind.INTERNAL, server: SpanKind.SERVER, client: SpanKind.CLIENT, consumer: SpanKind.CONSUMER };

/** Registers nothing globally: whoever traces is given it. */
export function createOtlpTracing({ service, version, log, endpoint, headers, sampledShare }: OtlpTracingOptions): Tracing {
  const url = `${endpoint.replace(/\/+$/, '')}/v1/traces`;
  const exporter = new OTLPTraceExporter({ url, headers: { ...headers }, timeoutMillis: EXPORT_TIMEOUT_MS });
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ 'service.namespace': 'code-executor', 'service.name': service, 'service.version': version }),
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(sampledShare) }),
    spanLimits: { attributeValueLengthLimit: VALUE_LENGTH_LIMIT },
    spanProcessors: [
      new BatchSpanProcessor({
        exporter: saying(exporter, log),
        scheduledDelayMillis: EXPORT_EVERY_MS,
        exportTimeoutMillis: EXPORT_TIMEOUT_MS,
        maxQueueSize: MOST_KEPT_SPANS,
      }),
    ],
  });
  const tracer = provider.getTracer('code-executor', version);

  return {
    start(name, options = {}) {
      const span = tracer.startSpan(name, { kind: KINDS[options.kind ?? 'internal'], ...startOf(options) }, contextOf(options.parent));
      return spanOf(span, options.attributes);
    },
    async close() {
      const closed = provider
        .shutdown()
        .catch((error: unknown) => log.debug({ reason: messageOf(error) }, 'The last traces were not sent'));
      await Promise.race([closed, sleep(CLOSE_MS, undefined, { ref: false })]);
    },
  };
}

const startOf = ({ startedAt }: SpanOptions) => (startedAt === undefined ? {} : { startTime: startedAt });

function contextOf(parent: string | null | undefined) {
  const parsed = parseTraceparent(parent);
  if (parsed === null) return ROOT_CONTEXT;
  const { traceId, spanId, isSampled } = parsed;
  return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags: isSampled ? 1 : 0, isRemote: true });
}

function spanOf(span: ReturnType<ReturnType<TracerProvider['getTracer']>['startSpan']>, attributes: SpanAttributes | undefined): Span {
  const { traceId, spanId, traceFlags } = span.spanContext();
  const set = (values: SpanAttributes): void => {
    for (const [name, value] of Object.entries(values)) if (value !== null && value !== undefined) span.setAttribute(name, value);
  };
  if (attributes !== undefined) set(attributes);
  let isEnded = false;
  return {
    traceId,
    traceparent: formatTraceparent({ traceId, spanId, isSampled: (traceFlags & 1) !== 0 }),
    set,
    end({ error, endedAt } = {}) {
      if (isEnded) return;
      isEnded = true;
      if (error !== null && error !== undefined) {
        span.setAttribute('error.type', error);
        span.setStatus({ code: SpanStatusCode.ERROR });
      }
      span.end(endedAt);
    },
  };
}

/** The exporter, which says once that its collector does not answer, and once that it does again. */
function saying(exporter: SpanExporter, log: Logger): SpanExporter {
  let isFailing = false;
  return {
    export(spans, done) {
      exporter.export(spans, (result) => {
        const hasFailed = result.error !== undefined;
        if (hasFailed && !isFailing) log.warn({ reason: result.error?.message.slice(0, 300) }, 'Traces cannot be sent; spans are dropped');
        if (!hasFailed && isFailing) log.info('Traces are sent again');
        isFailing = hasFailed;
        done(result);
      });
    },
    shutdown: () => exporter.shutdown(),
    forceFlush: async () => exporter.forceFlush?.(),
  };
}
