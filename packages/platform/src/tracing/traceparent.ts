/** One span of one trace, as W3C Trace Context writes it. */
export interface TraceParent {
  readonly traceId: string;
  readonly spanId: string;
  readonly isSampled: boolean;
}

/** Version 00; what a later version adds at the end is left alone, as the specification asks. */
const FORM = /^(?!ff)([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.{0,400})?$/;
const SAMPLED = 0x01;

/** null: it is absent, or no traceparent. It comes from whoever asks, so nothing else in it is taken over. */
export function parseTraceparent(header: unknown): TraceParent | null {
  if (typeof header !== 'string') return null;
  const [, version, traceId = '', spanId = '', flags = '', rest] = FORM.exec(header) ?? [];
  if (version === undefined || (version === '00' && rest !== undefined)) return null;
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return null;
  return { traceId, spanId, isSampled: (Number.parseInt(flags, 16) & SAMPLED) !== 0 };
}

export const formatTraceparent = ({ traceId, spanId, isSampled }: TraceParent): string =>
  `00-${traceId}-${spanId}-${isSampled ? '01' : '00'}`;

/** For the log; null where there is no trace. */
export const traceIdOf = (traceparent: string | null | undefined): string | null => parseTraceparent(traceparent)?.traceId ?? null;

/**
 * The place in `trusted`'s trace that `said` names. Who is not trusted may say which of its own spans is the parent, and neither
 * join another trace by that nor have one recorded that is not.
 */
export function traceparentWithin(trusted: string | null | undefined, said: unknown): string | undefined {
  const own = parseTraceparent(trusted);
  if (own === null) return undefined;
  const parent = parseTraceparent(said);
  return formatTraceparent(parent?.traceId === own.traceId ? { ...own, spanId: parent.spanId } : own);
}
