import { sendForJson } from '../http/json.ts';
import { jsonLines } from '../http/json-lines.ts';
import type { RequestOptions, Send } from '../http/send.ts';
import type { AuditRecord } from '../types/administration.ts';

/** Times are ISO 8601. */
export interface AuditFilter {
  /** Such as `tool.call` or `key.revoke`; `policy`: everything done to policies. */
  readonly type?: string;
  readonly principal?: string;
  readonly server?: string;
  readonly tool?: string;
  readonly execution?: string;
  /** `ok`, the code of an error, or `failed` for everything but `ok`. */
  readonly outcome?: string;
  readonly since?: string;
  readonly until?: string;
}

export interface AuditQuery extends AuditFilter {
  readonly limit?: number;
  readonly cursor?: string;
}

export interface Audit {
  /** Newest first. */
  list(
    query?: AuditQuery,
    options?: RequestOptions,
  ): Promise<{ readonly items: readonly AuditRecord[]; readonly nextCursor: string | null }>;
  /** Oldest first, as it arrives. */
  export(filter?: AuditFilter, options?: RequestOptions): AsyncGenerator<AuditRecord>;
  /** Whether the chain of the acts is whole. */
  verify(options?: RequestOptions): Promise<{ readonly whole: boolean; readonly checked: number; readonly brokenAt: string | null }>;
}

export function auditOf(send: Send): Audit {
  return {
    list: (query, options) => sendForJson(send, { method: 'GET', path: '/audit', query: { ...query }, options }),
    export: (filter, options) => jsonLines<AuditRecord>(send, '/audit/export', { ...filter }, options),
    verify: (options) => sendForJson(send, { method: 'GET', path: '/audit/verify', options: { timeoutMs: 0, ...options } }),
  };
}
