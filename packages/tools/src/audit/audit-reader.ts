import { type AuditRecord, newId, ROLES } from '@code-executor/contracts';
import { AppError } from '@code-executor/platform';
import { type Kysely, type RawBuilder, sql } from 'kysely';
import type { FindPrincipal } from '../calls/may-call.ts';
import type { ToolTables } from '../tables.ts';
import type { AuditFilter } from './port.ts';

/** Of acts and calls alike: ids sort by time once their prefix is off. */
interface Row {
  readonly id: string;
  readonly at: Date;
  readonly type: string;
  readonly principal_id: string | null;
  readonly role: string | null;
  readonly principal_name: string | null;
  readonly target: string | null;
  readonly server: string | null;
  readonly tool: string | null;
  readonly connection: string | null;
  readonly execution_id: string | null;
  readonly call_number: number | null;
  readonly request_id: string | null;
  readonly decision: string | null;
  readonly policy_id: string | null;
  readonly outcome: string | null;
  readonly duration_ms: number | null;
  readonly reply_bytes: number | null;
  readonly argument_digest: string | null;
  readonly details_json: string | null;
  readonly digest: string | null;
}

export interface Window {
  readonly limit: number;
  /** The part of an id behind its prefix: what lies beyond it, in the order asked for. */
  readonly beyond?: string | undefined;
  readonly oldestFirst?: boolean | undefined;
}

const TAIL = /^[0-9a-z]{26}$/;

/** One stretch of the record, acts and tool calls together. */
export async function readAudit(
  db: Kysely<ToolTables>,
  workspaceId: string,
  filter: AuditFilter,
  { limit, beyond, oldestFirst = false }: Window,
  findPrincipal: FindPrincipal,
): Promise<AuditRecord[]> {
  const direction = oldestFirst ? sql`asc` : sql`desc`;
  const bound = beyond === undefined ? null : { beyond, than: oldestFirst ? sql`>` : sql`<` };
  const acts = sql`
    select id, at, type, principal_id, role, principal_name, target, server, tool, null::text as connection, execution_id,
      null::int4 as call_number, request_id, null::text as decision, null::text as policy_id, outcome,
      null::float8 as duration_ms, null::int4 as reply_bytes, null::text as argument_digest, details_json, digest
    from audit_events where ${all([sql`workspace_id = ${workspaceId}`, ...within('aud', filter, bound), ...actsOf(filter)])}
    order by id ${direction} limit ${limit}`;
  const calls = sql`
    select c.id, c.dispatched_at as at, 'tool.call' as type, c.principal_id, null::text as role, null::text as principal_name,
      c.server || '.' || c.tool as target, c.server, c.tool, c.connection, c.execution_id, c.call_number, null::text as request_id,
      c.decision, c.policy_id, o.outcome, o.duration_ms, o.reply_bytes, c.argument_digest, null::text as details_json, null::text as digest
    from tool_calls c left join tool_call_outcomes o on o.call_id = c.id
    where ${all([sql`c.workspace_id = ${workspaceId}`, ...within('tcl', filter, bound), ...callsOf(filter)])}
    order by c.id ${direction} limit ${limit}`;
  const kinds = kindsOf(filter.type);
  const parts = [...(kinds.acts ? [sql`(${acts})`] : []), ...(kinds.calls ? [sql`(${calls})`] : [])];
  if (parts.length === 0) return [];
  const { rows } = await sql<Row>`
    select * from (${sql.join(parts, sql` union all `)}) as record order by substr(id, 5) ${direction} limit ${limit}`.execute(db);
  return await Promise.all(rows.map((row) => recordOf(row, findPrincipal)));
}

/** @throws AppError INVALID_REQUEST */
export function readCursor(cursor: string | undefined): string | undefined {
  if (cursor !== undefined && !TAIL.test(cursor)) throw new AppError('INVALID_REQUEST', 'cursor: use the nextCursor of the page before');
  return cursor;
}

export const cursorOf = ({ id }: AuditRecord): string => id.slice(4);

function kindsOf(type: string | undefined): { readonly acts: boolean; readonly calls: boolean } {
  if (type === undefined) return { acts: true, calls: true };
  if (type === 'tool.call') return { acts: false, calls: true };
  return { acts: true, calls: type === 'tool' };
}

const all = (conditions: readonly RawBuilder<unknown>[]): RawBuilder<unknown> => sql.join(conditions, sql` and `);

/** By the ids alone, which are indexed and hold the time. */
function within(
  prefix: 'aud' | 'tcl',
  { since, until }: AuditFilter,
  bound: { readonly beyond: string; readonly than: RawBuilder<unknown> } | null,
): RawBuilder<unknown>[] {
  const id = prefix === 'aud' ? sql.ref('id') : sql.ref('c.id');
  return [
    ...(since === undefined ? [] : [sql`${id} >= ${`${prefix}_${timePart(since)}`}`]),
    ...(until === undefined ? [] : [sql`${id} < ${`${prefix}_${timePart(until)}`}`]),
    ...(bound === null ? [] : [sql`${id} ${bound.than} ${`${prefix}_${bound.beyond}`}`]),
  ];
}

function actsOf({ type, principal, server, tool, execution, outcome }: AuditFilter): RawBuilder<unknown>[] {
  return [
    ...(type === undefined ? [] : [type.includes('.') ? sql`type = ${type}` : sql`type like ${`${type}.%`}`]),
    ...(principal === undefined ? [] : [sql`principal_id = ${principal}`]),
    ...(server === undefined ? [] : [sql`server = ${server}`]),
    ...(tool === undefined ? [] : [sql`tool = ${tool}`]),
    ...(execution === undefined ? [] : [sql`execution_id = ${execution}`]),
    ...(outcome === undefined ? [] : [outcome === 'failed' ? sql`outcome <> 'ok'` : sql`outcome = ${outcome}`]),
  ];
}

function callsOf({ principal, server, tool, execution, outcome }: AuditFilter): RawBuilder<unknown>[] {
  return [
    ...(principal === undefined ? [] : [sql`c.principal_id = ${principal}`]),
    ...(server === undefined ? [] : [sql`c.server = ${server}`]),
    ...(tool === undefined ? [] : [sql`c.tool = ${tool}`]),
    ...(execution === undefined ? [] : [sql`c.execution_id = ${execution}`]),
    ...(outcome === undefined ? [] : [outcome === 'failed' ? sql`o.outcome is distinct from 'ok'` : sql`o.outcome = ${outcome}`]),
  ];
}

/** As ids begin that are made then. */
const timePart = (date: Date): string => newId('aud', Math.max(0, date.getTime())).slice(4, 14);

async function recordOf(row: Row, findPrincipal: FindPrincipal): Promise<AuditRecord> {
  // A call's row names its principal alone; a key never changes its role or name.
  const known = row.type === 'tool.call' && row.principal_id !== null ? await findPrincipal(row.principal_id) : null;
  return {
    id: row.id,
    at: row.at.toISOString(),
    type: row.type,
    principal: {
      id: row.principal_id,
      role: ROLES.find((role) => role === row.role) ?? known?.role ?? null,
      name: row.principal_name ?? known?.name ?? null,
    },
    target: row.target,
    server: row.server,
    tool: row.tool,
    connection: row.connection,
    executionId: row.execution_id,
    callNumber: row.call_number,
    requestId: row.request_id,
    decision: row.decision,
    policyId: row.policy_id,
    outcome: row.outcome,
    durationMs: row.duration_ms,
    replyBytes: row.reply_bytes,
    argumentDigest: row.argument_digest,
    details: row.details_json === null ? null : JSON.parse(row.details_json),
    digest: row.digest,
  };
}
