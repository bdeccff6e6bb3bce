import type { ReplyMeta } from '@code-executor/contracts';

type Headers = Readonly<Record<string, string>>;

const MOST_LINKS = 20;
const LONGEST_LINK = 4_000;

/** What the headers of an answer say: pagination links, rate limits, when to come back. */
export function replyMeta(status: number, headers: Headers, url: string, nowMs: number): ReplyMeta {
  const links = headers.link === undefined ? {} : linksOf(headers.link, url);
  const rateLimit = rateLimitOf(headers, nowMs);
  const retryAfterSeconds = headers['retry-after'] === undefined ? null : secondsUntil(headers['retry-after'], nowMs);
  return {
    status,
    ...(Object.keys(links).length === 0 ? {} : { links }),
    ...(Object.keys(rateLimit).length === 0 ? {} : { rateLimit }),
    ...(retryAfterSeconds === null ? {} : { retryAfterSeconds }),
  };
}

const QUOTED = '"(?:[^"\\\\]|\\\\.)*"';
const LINK = new RegExp(`<([^<>]*)>((?:\\s*;\\s*[\\w*-]+\\s*(?:=\\s*(?:${QUOTED}|[^",;\\s]+))?)*)`, 'g');
const LINK_PARAMETER = /;\s*([\w*-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^",;\s]+))/g;

/** `<https://…?page=2>; rel="next", …`. Addresses may hold commas and semicolons. */
function linksOf(header: string, base: string): Record<string, string> {
  const links = new Map<string, string>();
  for (const [, target, parameters] of header.slice(0, 64_000).matchAll(LINK)) {
    const rels = [...(parameters ?? '').matchAll(LINK_PARAMETER)].find(([, name]) => name?.toLowerCase() === 'rel');
    const address = absolute(target ?? '', base);
    if (rels === undefined || address === null || address.length > LONGEST_LINK) continue;
    for (const rel of (rels[2] ?? rels[3] ?? '').split(/\s+/)) {
      if (rel !== '' && rel.length <= 100 && !links.has(rel) && links.size < MOST_LINKS) links.set(rel, address);
    }
  }
  return Object.fromEntries(links);
}

function absolute(target: string, base: string): string | null {
  try {
    return new URL(target, base).href;
  } catch {
    // No address: no link.
    return null;
  }
}

/** `x-ratelimit-*` and its relatives, `ratelimit-*`, and the structured `ratelimit` of the IETF's drafts. */
function rateLimitOf(headers: Headers, nowMs: number): { limit?: number; remaining?: number; resetAt?: string } {
  const policy = headers['ratelimit-policy'] ?? '';
  const structured = headers.ratelimit ?? '';
  const named = (what: string): string | undefined =>
    headers[`x-ratelimit-${what}`] ?? headers[`x-rate-limit-${what}`] ?? headers[`ratelimit-${what}`];
  const limit = firstNumber(named('limit') ?? field(structured, 'limit') ?? field(policy, 'q'));
  const remaining = firstNumber(named('remaining') ?? field(structured, 'remaining') ?? field(structured, 'r'));
  const reset = secondsUntil(named('reset') ?? field(structured, 'reset') ?? field(structured, 't') ?? '', nowMs);
  return {
    ...(limit === null ? {} : { limit }),
    ...(remaining === null ? {} : { remaining }),
    ...(reset === null ? {} : { resetAt: new Date(nowMs + reset * 1000).toISOString() }),
  };
}

const field = (text: string, name: string): string | undefined => new RegExp(`(?:^|[;,\\s])${name}\\s*=\\s*(\\d+)`).exec(text)?.[1];

function firstNumber(text: string | undefined): number | null {
  const digits = /^\s*(\d{1,15})/.exec(text ?? '')?.[1];
  return digits === undefined ? null : Number(digits);
}

/** Seconds, a moment as seconds or milliseconds since 1970, `1m30s`, or a date. */
function secondsUntil(text: string, nowMs: number): number | null {
  const trimmed = text.trim();
  if (/^\d{1,15}(?:\.\d+)?$/.test(trimmed)) {
    const number = Number(trimmed);
    if (number < 1e9) return number;
    return Math.max(0, Math.round((number > 1e12 ? number : number * 1000) - nowMs) / 1000);
  }
  const units = /^(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?$/.exec(trimmed);
  if (trimmed !== '' && units !== null) return Number(units[1] ?? 0) * 3600 + Number(units[2] ?? 0) * 60 + Number(units[3] ?? 0);
  const moment = trimmed.length > 60 || !/\d/.test(trimmed) ? Number.NaN : Date.parse(trimmed);
  return Number.isNaN(moment) || Math.abs(moment) > 8.6e15 ? null : Math.max(0, Math.round((moment - nowMs) / 1000));
}
