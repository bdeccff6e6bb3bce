import { type ExecutionStatus, newId } from '@code-executor/contracts';
import { AppError, type Database } from '@code-executor/platform';
import { CompiledQuery, sql } from 'kysely';
import type { AcceptedExecution, ClaimedExecution } from '../execution.ts';
import type { ExecutionRecord, ExecutionSummary } from '../port.ts';
import { RECORD_COLUMNS, SUMMARY_COLUMNS, toExecutionRecord, toExecutionSummary } from './execution-record.ts';
import { type EndedExecution, FINISH_COLUMNS, finishParameters } from './finish-statement.ts';
import { INSERT_COLUMNS, insertParameters, type NewExecution } from './insert-statement.ts';
import { createResultParts, RESULT_PART_LENGTH } from './result-parts.ts';
import type { ExecutionTables } from './tables.ts';
import { fromTextColumn } from './text-column.ts';
import { casts, valuesStatements } from './values-statement.ts';
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

export interface IdempotentRequest {
  readonly workspaceId: string;
  readonly principalId: string;
  readonly route: string;
  readonly key: string;
  /** Of the body; the same key with another one is a conflict. */
  readonly digest: string;
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
}

export type ExecutionStore = ReturnType<typeof createExecutionStore>;

/** Counting two hundred thousand rows holds the embedded database up for 90 ms. */
const TOTAL_MAXIMUM = 10_000;
const ID_TIME_LENGTH = 'exe_'.length + 10;

/** All SQL of executions. The two statements of every request are group-committed and built once per number of rows. */
export function createExecutionStore(db: Pick<Database, 'kind' | 'query'>) {
  const query = db.query<ExecutionTables>();
  const parts = createResultParts(query);

  const insertStatement = valuesStatements(
    INSERT_COLUMNS,
    (values) => `insert into executions (${INSERT_COLUMNS.map(([name]) => name).join(', ')}) values ${values}`,
  );
  const inserts = createWriteBatch<NewExecution, void>({
    async write(rows) {
      await query.executeQuery(CompiledQuery.raw(insertStatement(rows.length), rows.flatMap(insertParameters)));
      return rows.map(() => undefined);
    },
    weigh: ({ execution }) => execution.code.length,
  });

  const finishStatement = valuesStatements(
    FINISH_COLUMNS,
    (values) => `update executions e set ${FINISH_COLUMNS.slice(2)
      .map(([name]) => `${name} = v.${name}`)
      .join(', ')}
      from (values ${values}) as v (${FINISH_COLUMNS.map(([name]) => name).join(', ')})
      where e.id = v.id and e.token = v.token and e.ended_at is null
      returning e.id, e.token`,
  );
  const finishes = createWriteBatch<{ readonly ended: EndedExecution; readonly resultParts: number }, boolean>({
    async write(rows) {
      const { rows: written } = await query.executeQuery<{ id: string; token: number }>(
        CompiledQuery.raw(finishStatement(rows.length), rows.flatMap(finishParameters)),
      );
      const holders = new Map(written.map(({ id, token }) => [id, token]));
      return rows.map(({ ended: { id, token } }) => holders.get(id) === token);
    },
    weigh: ({ ended: { outcome, eventsJson }, resultParts }) =>
      outcome.output.length + (resultParts > 0 ? 0 : (outcome.resultJson?.length ?? 0)) + (eventsJson?.length ?? 0),
  });

  return {
    insert: (row: NewExecution): Promise<void> => inserts.add(row),

    /**
     * Key and row in one statement, so that both are there or neither. `null`: written; otherwise what the key
     * stands for already. A key older than `expiredBefore` is taken over.
     */
    async insertOnce(row: NewExecution, request: IdempotentRequest, expiredBefore: Date) {
      const columns = INSERT_COLUMNS.map(([name]) => name).join(', ');
      const offset = 7;
      const statement = `
        with taken as (
          insert into idempotency_keys (workspace_id, principal_id, route, key, digest, execution_id, created_at)
          values ($1, $2, $3, $4, $5, $6, $${INSERT_COLUMNS.length + offset + 1}::timestamptz)
          on conflict (workspace_id, principal_id, route, key) do update
            set digest = excluded.digest, execution_id = excluded.execution_id, created_at = excluded.created_at
            where idempotency_keys.created_at < $7::timestamptz
          returning execution_id)
        insert into executions (${columns}) select ${casts(INSERT_COLUMNS, offset)} from taken returning id`;
      const { rows } = await query.executeQuery(
        CompiledQuery.raw(statement, [
          request.workspaceId,
          request.principalId,
          request.route,
          request.key,
          request.digest,
          row.execution.id,
          expiredBefore.toISOString(),
          ...insertParameters(row),
          row.execution.createdAt.toISOString(),
        ]),
      );
      if (rows.length === 1) return null;
      const known = await findByKey(request, expiredBefore);
      if (known === null) throw new AppError('INTERNAL', 'The Idempotency-Key expired while it was looked up. Send the request again.');
      return known;
    },

    findByKey,

    /** `null`: it is not queued any more; somebody else has it, or it was cancelled. */
    async claim(id: string, workerId: string, startedAt: Date): Promise<ClaimedExecution | null> {
      const row = await query
        .updateTable('executions')
        .set({ status: 'running', token: sql<number>`token + 1`, worker_id: workerId, started_at: startedAt })
        .where('id', '=', id)
        .where('status', '=', 'queued')
        .returning([
          'workspace_id',
          'principal_id',
          'request_id',
          'language',
          'code',
          'args_json',
          'files_json',
          'timeout_ms',
          'typecheck',
          'created_at',
          'token',
        ])
        .executeTakeFirst();
      if (row === undefined) return null;
      return {
        id,
        workspaceId: row.workspace_id,
        principalId: row.principal_id,
        requestId: row.request_id,
        language: row.language,
        code: fromTextColumn(row.code),
        args: JSON.parse(fromTextColumn(row.args_json)) as AcceptedExecution['args'],
        files: row.files_json === null ? {} : (JSON.parse(fromTextColumn(row.files_json)) as AcceptedExecution['files']),
        timeoutMs: row.timeout_ms,
        typecheck: row.typecheck,
        createdAt: row.created_at,
        token: row.token,
      };
    },

    /** false: the token is stale or the execution has ended; nothing was written. */
    async finish(ended: EndedExecution): Promise<boolean> {
      const { resultJson } = ended.outcome;
      const isLong = resultJson !== null && resultJson.length > RESULT_PART_LENGTH;
      return await finishes.add({ ended, resultParts: isLong ? await parts.write(ended.id, ended.token, resultJson) : 0 });
    },

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
        .select(['id', 'workspace_id', 'principal_id', 'request_id', 'language', 'status', 'token', 'created_at'])
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
      }));
    },

    /** Deletes at most `limit` executions that ended before; answers how many it were. */
    async purgeEnded(before: Date, limit: number): Promise<number> {
      // Ids sort by time of creation: the bound keeps the scan to the old end of the index.
      const createdBefore = newId('exe', before.getTime()).slice(0, ID_TIME_LENGTH);
      const { rows } = await sql`
        delete from executions where id in (
          select id from executions where id < ${createdBefore} and ended_at < ${before.toISOString()}::timestamptz order by id limit ${limit}
        ) returning id`.execute(query);
      return rows.length;
    },

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

  async function findByKey(request: Omit<IdempotentRequest, 'digest'>, expiredBefore: Date) {
    const row = await query
      .selectFrom('idempotency_keys')
      .select(['execution_id', 'digest'])
      .where('workspace_id', '=', request.workspaceId)
      .where('principal_id', '=', request.principalId)
      .where('route', '=', request.route)
      .where('key', '=', request.key)
      .where('created_at', '>=', expiredBefore)
      .executeTakeFirst();
    return row === undefined ? null : { executionId: row.execution_id, digest: row.digest };
  }
}
