import { setTimeout as sleep } from 'node:timers/promises';
import { DEFAULT_WORKSPACE_ID, newId } from '@code-executor/contracts';
import { type Logger, messageOf } from '@code-executor/platform';
import { type Kysely, sql } from 'kysely';
import { storableText } from '../catalog/catalog-store.ts';
import type { ToolTables } from '../tables.ts';
import { type AuditRow, chainDigest, FIRST_DIGEST } from './audit-chain.ts';
import type { AuditEvent } from './port.ts';

type NewRow = Omit<AuditRow, 'digest' | 'position'>;

interface PendingRow {
  readonly row: NewRow;
  written(): void;
}

const ROWS_AT_ONCE = 200;
const DETAILS_LIMIT = 4_096;
/** What waits for a database that is away; past it the newest are given up, loudly. */
const MOST_PENDING = 10_000;
const RETRY_DELAYS_MS = [50, 250, 500, 1_000, 2_000, 4_000];

/** Appends acts, those of one moment with one statement. Each carries the digest of the one before, in the order they are written. */
export function createAuditWriter(
  db: Kysely<ToolTables>,
  log: Pick<Logger, 'warn' | 'error'>,
  now: () => number,
): { append(event: AuditEvent): Promise<void>; idle(): Promise<void> } {
  let pending: PendingRow[] = [];
  let writing: Promise<void> | null = null;

  return {
    append(event) {
      if (pending.length >= MOST_PENDING) {
        log.error({ type: event.type, principalId: event.principal?.id }, 'The database does not keep up: an act was not recorded');
        return Promise.resolve();
      }
      return new Promise((resolve) => {
        pending.push({ row: rowOf(event, now()), written: resolve });
        writing ??= drain();
      });
    },
    idle: async () => {
      await writing;
    },
  };

  async function drain(): Promise<void> {
    await Promise.resolve();
    while (pending.length > 0) {
      const batch = pending.slice(0, ROWS_AT_ONCE);
      pending = pending.slice(ROWS_AT_ONCE);
      await writePatiently(batch.map(({ row }) => row));
      for (const { written } of batch) written();
    }
    writing = null;
  }

  async function writePatiently(rows: readonly NewRow[]): Promise<void> {
    for (const delayMs of [...RETRY_DELAYS_MS, null]) {
      try {
        for (const [workspaceId, own] of Map.groupBy(rows, (row) => row.workspace_id)) await write(workspaceId, own);
        return;
      } catch (error) {
        const lost =
          delayMs === null ? rows.map(({ type, principal_id, target, outcome }) => ({ type, principal_id, target, outcome })) : undefined;
        log.warn({ reason: messageOf(error), acts: rows.length, lost }, 'Acts could not be recorded');
        if (delayMs !== null) await sleep(delayMs);
      }
    }
  }

  /** One writer at a time in a workspace, whatever the number of processes: otherwise two would follow the same row. */
  async function write(workspaceId: string, rows: readonly NewRow[]): Promise<void> {
    await db.transaction().execute(async (transaction) => {
      await sql`select pg_advisory_xact_lock(hashtextextended(${`audit of ${workspaceId}`}, 0))`.execute(transaction);
      const last = await transaction
        .selectFrom('audit_events')
        .select(['position', 'digest'])
        .where('workspace_id', '=', workspaceId)
        .orderBy('position', 'desc')
        .limit(1)
        .executeTakeFirst();
      let position = Number(last?.position ?? 0);
      let digest = last?.digest ?? FIRST_DIGEST;
      const chained = rows.map((row) => {
        position += 1;
        digest = chainDigest(digest, { ...row, position });
        return { ...row, position, digest };
      });
      // A try whose answer was lost may have been committed.
      await transaction
        .insertInto('audit_events')
        .values(chained)
        .onConflict((conflict) => conflict.column('id').doNothing())
        .execute();
    });
  }
}

function rowOf(event: AuditEvent, nowMs: number): NewRow {
  const { principal } = event;
  return {
    id: newId('aud', nowMs),
    workspace_id: principal?.workspaceId ?? event.workspaceId ?? DEFAULT_WORKSPACE_ID,
    at: new Date(nowMs),
    type: event.type,
    principal_id: principal?.id ?? null,
    role: principal?.role ?? null,
    principal_name: text(principal?.name),
    target: text(event.target),
    server: text(event.server),
    tool: text(event.tool),
    execution_id: event.executionId ?? null,
    request_id: event.requestId ?? null,
    outcome: event.outcome ?? 'ok',
    details_json: detailsOf(event.details),
  };
}

const text = (value: string | null | undefined): string | null =>
  value === null || value === undefined ? null : storableText(value.slice(0, 500));

function detailsOf(details: unknown): string | null {
  if (details === undefined || details === null) return null;
  const json = storableText(JSON.stringify(details) ?? 'null');
  return json.length <= DETAILS_LIMIT ? json : JSON.stringify({ cutOff: json.slice(0, DETAILS_LIMIT - 100) });
}
