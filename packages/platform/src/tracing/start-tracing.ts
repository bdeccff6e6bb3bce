import type { Logger } from '../logger.ts';
import type { Open } from '../shutdown.ts';
import type { Tracing } from './port.ts';
import type { TracingSettings } from './settings.ts';

/**
 * Opens tracing to an OTLP collector. null where none is configured: nothing of OpenTelemetry's SDK is loaded then, and spans are
 * not even begun (`tracing?.start(…)`).
 */
export async function startTracing(
  settings: TracingSettings,
  { open, ...options }: { readonly service: string; readonly version: string; readonly log: Logger; readonly open: Open },
): Promise<Tracing | null> {
  const { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint } = settings;
  if (endpoint === undefined) return null;
  const { createOtlpTracing } = await import('./otlp-tracing.ts');
  const tracing = createOtlpTracing({
    ...options,
    endpoint,
    headers: parseHeaders(settings.OTEL_EXPORTER_OTLP_HEADERS ?? ''),
    sampledShare: settings.OTEL_TRACES_SAMPLER_ARG,
  });
  return open('tracing', tracing, (part) => part.close());
}

/** `name=value` pairs with commas between them; values are percent-encoded. */
function parseHeaders(text: string): Record<string, string> {
  const pairs = text.split(',').map((pair) => pair.trim().split(/=(.*)/s, 2));
  return Object.fromEntries(
    pairs.flatMap(([name = '', value]) => (name === '' || value === undefined ? [] : [[name.trim(), decode(value)]])),
  );
}

function decode(value: string): string {
  try {
    return decodeURIComponent(value.trim());
  } catch (error) {
    // A key with a percent sign in it, written as it is.
    if (error instanceof URIError) return value.trim();
    throw error;
  }
}
