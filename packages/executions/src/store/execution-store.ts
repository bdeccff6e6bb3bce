import type { Effects, ExecutionStatus } from '@code-executor/contracts';
import { AppError, type Database } from '@code-executor/platform';
import { CompiledQuery, sql } from 'kysely';
import type { ClaimedExecution } from '../execution.ts';
import type { HistoryFilter } from '../export-executions.ts';
import type { HeldExecution } from '../ledger/port.ts';
import type { ExecutionRecord, ExecutionSummary } from '../port.ts';
import { CLAIMED_COLUMNS, toClaimedExecution } from './claimed-execution.ts';
import { RECORD_COLUMNS, SUMMARY_COLUMNS, toExecutionRecord, toExecutionSummary } from './execution-record.ts';
import type { EndedExecution } from './finish-statement.ts';
import { createFinishing } from './finishing.ts';
import { findByKey, type IdempotentRequest, KEY_PARAMETERS, keyParameters, TAKE_KEY } from './idempotency-key.ts';
import { INSERT_COLUMNS, insertParameters, type NewExecution } from './insert-statement.ts';
import { queueReleased, releasePaused, type StoredPause, writePause } from './pause-statements.ts';
import { firstIdAt, type PurgeScope, purgeEnded } from './purge-ended.ts';
import { createResultParts } from './result-parts.ts';
import type { ExecutionTables } from './tables.ts';
import { fromTextColumn } from './text-column.ts';
import { casts, columnNames, valuesStatements } from './values-statement.ts';
import { createWriteBatch } from './write-batch.ts';

/** Whose executions somebody may see; without `principalId` the whole workspace's. */
export interface Visibility {
  readonly workspaceId: string;
  readonly principalId?: string;
}

export interface Page {
  readonly limit: number;
  readonly cursor?: string | undefined;
  readonly status?: ExecutionStatus | undefined;
}

export interface UnfinishedExecution {
  readonly id: string;
  readonly workspaceId: string;
  readonly principalId: string;
  readonly requestId: string;
  readonly language: string;
  readonly status: ExecutionStatus;
  readonly token: number;
  readonly createdAt: Date;
  readonly traceparent: string | null;
  /** Until its pause, where it is paused. */
  readonly executionMs: number;
  readonly effects: Effects;
}

export type { IdempotentRequest } from './idempotency-key.ts';

export type ExecutionStore = ReturnType<typeof createExecutionStore>;

/** Counting two hundred thousand rows holds the embedded database up for 90 ms. */
const TOTAL_MAXIMUM = 10_000;

/** All SQL of executions. The two statements of every request are group-committed and built once per number of rows. */
export function createExecutionStore(db: Pick<Database, 'kind' | 'query'>) {
  const query = db.query<ExecutionTables>();
  const parts = createResultParts(query, db.kind);

  const insertStatement = valuesStatements(
    INSERT_COLUMNS,
    (values) => `insert into executions (${columnNames(INSERT_COLUMNS)}) values ${values}`,
  );
  const inserts = createWriteBatch<NewExecution, void>({
    async write(rows) {
      await query.executeQuery(CompiledQuery.raw(insertStatement(rows.length), rows.flatMap(insertParameters)));
      return rows.map(() => undefined);
    },
    weigh: ({ execution }) => execution.code.length,
  });

  const finishing = createFinishing(query, parts, db.kind);

  return {
    insert: (row: NewExecution): Promise<void> => inserts.add(row),

    /**
     * Key and row in one statement, so that both are there or neither. `null`: written; otherwise what the key
     * stands for already. A key older than `expiredBefore` is taken over.
     */
    async insertOnce(row: NewExecution, request: IdempotentRequest, expiredBefore: Date) {
      const statement = `
        with ${TAKE_KEY}
        insert into executions (${columnNames(INSERT_COLUMNS)}) select ${casts(INSERT_COLUMNS, KEY_PARAMETERS)} from taken returning id`;
      const parameters = [...keyParameters(request, row.execution, expiredBefore), ...insertParameters(row)];
      const { rows } = await query.executeQuery(CompiledQuery.raw(statement, parameters));
      if (rows.length === 1) return null;
      const known = await findByKey(query, request, expiredBefore);
      if (known === null) throw new AppError('INTERNAL', 'The Idempotency-Key expired while it was looked up. Send the request again.');
      return known;
    },

    findByKey: (request: Omit<IdempotentRequest, 'digest'>, expiredBefore: Date) => findByKey(query, request, expiredBefore),

    /** `null`: it is not queued any more; somebody else has it, or it was cancelled. */
    async claim(id: string, workerId: string, startedAt: Date): Promise<ClaimedExecution | null> {
      const row = await query
        .updateTable('executions')
        .set({ status: 'running', token: sql<number>`token + 1`, worker_id: workerId, started_at: startedAt })
        .where('id', '=', id)
        .where('status', '=', 'queued')
        .returning(CLAIMED_COLUMNS)
        .executeTakeFirst();
      return row === undefined ? null : toClaimedExecution(row);
    },

    /** For what runs in this process, whose database is never away for long. */
    async writePause(held: HeldExecution, pause: StoredPause | null): Promise<undefined> {
      await writePause(query, held, null, pause);
    },
    releasePaused: (held: HeldExecution): Promise<boolean> => releasePaused(query, held, null),
    queueReleased: (executionId: string): Promise<string[]> => queueReleased(query, [executionId]),
    async tokenOf(id: string): Promise<number> {
      const row = await query.selectFrom('executions').select('token').where('id', '=', id).executeTakeFirst();
      return row?.token ?? 0;
    },
    /** What a paused execution can be replayed from, sealed; null: it cannot. */
    async sealedReplay(id: string): Promise<string | null> {
      const row = await query.selectFrom('executions').select('sealed_replay').where('id', '=', id).executeTakeFirst();
      return row?.sealed_replay ?? null;
    },

    /** false: the token is stale or the execution has ended; nothing was written. */
    finish: async (ended: EndedExecution): Promise<boolean> => (await finishing.finish(ended)) !== null,

    async find(id: string, visible: Visibility): Promise<{ record: ExecutionRecord; eventsJson: string | null } | null> {
      let statement = query
        .selectFrom('executions')
        .select([...RECORD_COLUMNS, 'events_json'])
        .where('id', '=', id)
        .where('workspace_id', '=', visible.workspaceId);
      if (visible.principalId !== undefined) statement = statement.where('principal_id', '=', visible.principalId);
      const row = await statement.executeTakeFirst();
      if (row === undefined) return null;
      return { record: await toExecutionRecord(row, parts), eventsJson: row.events_json === null ? null : fromTextColumn(row.events_json) };
    },

    /** Newest first. `cursor` is the id of the last one seen; `total` stops counting at TOTAL_MAXIMUM. */
    async list(visible: Visibility, page: Page): Promise<{ items: ExecutionSummary[]; total: number; nextCursor: string | null }> {
      let matching = query.selectFrom('executions').where('workspace_id', '=', visible.workspaceId);
      if (visible.principalId !== undefined) matching = matching.where('principal_id', '=', visible.principalId);
      if (page.status !== undefined) matching = matching.where('status', '=', page.status);
      const { total } = await query
        .selectFrom(matching.select('id').limit(TOTAL_MAXIMUM).as('matching'))
        .select(({ fn }) => fn.countAll().as('total'))
        .executeTakeFirstOrThrow();
      let after = matching
        .select(SUMMARY_COLUMNS)
        .orderBy('id', 'desc')
        .limit(page.limit + 1);
      if (page.cursor !== undefined) after = after.where('id', '<', page.cursor);
      const rows = await after.execute();
      const shown = rows.slice(0, page.limit);
      return {
        items: shown.map(toExecutionSummary),
        total: Number(total),
        nextCursor: shown.length < rows.length ? (shown.at(-1)?.id ?? null) : null,
      };
    },

    /** Oldest first: the order they were accepted in. */
    async unfinished(): Promise<UnfinishedExecution[]> {
      const rows = await query
        .selectFrom('executions')
        .select(['id', 'workspace_id', 'principal_id', 'request_id', 'language', 'status', 'token', 'created_at', 'traceparent'])
        .select(['execution_ms', 'effects'])
        .where('ended_at', 'is', null)
        .orderBy('id')
        .execute();
      return rows.map((row) => ({
        id: row.id,
        workspaceId: row.workspace_id,
        principalId: row.principal_id,
        requestId: row.request_id,
        language: row.language,
        status: row.status as ExecutionStatus,
        token: row.token,
        createdAt: row.created_at,
        traceparent: row.traceparent,
        executionMs: row.execution_ms,
        effects: row.effects as Effects,
      }));
    },

    /** Ids of a part of the history, oldest first, and about how long each record is. */
    async sizes(
      visible: Visibility,
      page: HistoryFilter & { readonly after?: string | undefined; readonly limit: number },
    ): Promise<readonly { readonly id: string; readonly bytes: number }[]> {
      const bytes = sql<
        number | string
      >`octet_length(output) + coalesce(octet_length(result_json), 0) + result_parts * ${parts.longestBytes}::int8`;
      let matching = query
        .selectFrom('executions')
        .select(['id', bytes.as('bytes')])
        .where('workspace_id', '=', visible.workspaceId);
      if (visible.principalId !== undefined) matching = matching.where('principal_id', '=', visible.principalId);
      if (page.status !== undefined) matching = matching.where('status', '=', page.status);
      if (page.from !== undefined) matching = matching.where('id', '>=', firstIdAt(page.from));
      if (page.to !== undefined) matching = matching.where('id', '<', firstIdAt(page.to));
      if (page.after !== undefined) matching = matching.where('id', '>', page.after);
      const rows = await matching.orderBy('id').limit(page.limit).execute();
      return rows.map((row) => ({ id: row.id, bytes: Number(row.bytes) }));
    },

    /** Those of them that are there, oldest first. */
    async records(ids: readonly string[]): Promise<ExecutionRecord[]> {
      const rows = await query.selectFrom('executions').select(RECORD_COLUMNS).where('id', 'in', ids).orderBy('id').execute();
      return await Promise.all(rows.map((row) => toExecutionRecord(row, parts)));
    },

    /** Which of these are there. */
    async existing(ids: readonly string[]): Promise<ReadonlySet<string>> {
      if (ids.length === 0) return new Set();
      const rows = await query.selectFrom('executions').select('id').where('id', 'in', ids).execute();
      return new Set(rows.map(({ id }) => id));
    },

    /** Deletes at most `limit` executions that ended before; answers how many it were. */
    purgeEnded: (before: Date, limit: number, scope?: PurgeScope): Promise<number> => purgeEnded(query, before, limit, scope),

    async purgeKeys(before: Date): Promise<void> {
      await query.deleteFrom('idempotency_keys').where('created_at', '<', before).execute();
    },

    /**
     * Gives the space of deleted and overwritten rows back where nothing else does: PGlite has no autovacuum. It takes
     * about 1 ms for each thousand rows written since the last time.
     */
    async reclaimSpace(): Promise<void> {
      if (db.kind !== 'pglite') return;
      for (const table of ['executions', 'execution_result_parts', 'idempotency_keys'])
        await sql`vacuum ${sql.table(table)}`.execute(query);
    },
  };
}
