/** Values that say nothing of what a program is given, does or prints: ids, names of our own, counts, codes. */
export type SpanAttributes = Readonly<Record<string, string | number | boolean | null | undefined>>;

/** `performance.now()`, or a Date where another machine has told the time. */
export type SpanTime = number | Date;

export interface SpanOptions {
  /** On whose behalf, as a W3C traceparent. Absent, or none that is well formed: a trace begins here. */
  readonly parent?: string | null | undefined;
  /** `internal` by default. */
  readonly kind?: 'internal' | 'server' | 'client' | 'consumer' | undefined;
  readonly attributes?: SpanAttributes | undefined;
  /** Default: now. */
  readonly startedAt?: SpanTime | undefined;
}

export interface Span {
  /** For what is done on this span's behalf, here or elsewhere. */
  readonly traceparent: string;
  readonly traceId: string;
  /** Null and undefined leave an attribute out. */
  set(attributes: SpanAttributes): void;
  /** `error`: the code of what went wrong, never its message. The first end counts. */
  end(end?: { readonly error?: string | null | undefined; readonly endedAt?: SpanTime | undefined }): void;
}

/** Where spans go. Nothing of it waits for whoever collects them, and nothing of it throws. */
export interface Tracing {
  start(name: string, options?: SpanOptions): Span;
  /** Sends what is left; bounded. */
  close(): Promise<void>;
}
