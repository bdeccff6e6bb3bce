import { z } from 'zod';

/** Variables of the tracing of every service, by the names that OpenTelemetry has given them. */
export const tracingSettings = {
  /** Base address of an OTLP collector (HTTP), such as http://collector:4318. Absent: nothing is traced. */
  OTEL_EXPORTER_OTLP_ENDPOINT: z.url({ protocol: /^https?$/ }).optional(),
  /** `name=value,name=value`, sent along to the collector; a key of it belongs into a file (`…_FILE`). */
  OTEL_EXPORTER_OTLP_HEADERS: z.string().optional(),
  /** Share of the traces that begin here which are recorded; a caller that brings its own has decided already. */
  OTEL_TRACES_SAMPLER_ARG: z.coerce.number().min(0).max(1).default(1),
};

export type TracingSettings = z.infer<z.ZodObject<typeof tracingSettings>>;
