import type { Database } from '@code-executor/platform';
import { CompiledQuery, type Kysely } from 'kysely';
import { type EndedExecution, type FinishedRow, finishParameters, finishStatements } from './finish-statement.ts';
import type { ResultParts } from './result-parts.ts';
import type { ExecutionTables } from './tables.ts';
import { createWriteBatch } from './write-batch.ts';

export interface Finishing {
  /** null: the token is stale or the execution has ended; nothing was written. */
  finish(ended: EndedExecution): Promise<FinishedRow | null>;
}

/** Writes ends, those that arrive together with one statement; a long result beforehand, part by part. */
export function createFinishing(query: Kysely<ExecutionTables>, parts: ResultParts, kind: Database['kind']): Finishing {
  const statement = finishStatements(kind);
  const batch = createWriteBatch<{ readonly ended: EndedExecution; readonly resultParts: number }, FinishedRow | null>({
    async write(rows) {
      const { rows: written } = await query.executeQuery<FinishedRow>(
        CompiledQuery.raw(statement(rows.length), rows.flatMap(finishParameters)),
      );
      const finished = new Map(written.map((row) => [row.id, row]));
      return rows.map(({ ended: { id, token } }) => {
        const row = finished.get(id);
        return row?.token === token ? row : null;
      });
    },
    weigh: ({ ended: { outcome, eventsJson }, resultParts }) =>
      outcome.output.length + (resultParts > 0 ? 0 : (outcome.resultJson?.length ?? 0)) + (eventsJson?.length ?? 0),
  });

  return {
    async finish(ended) {
      const { resultJson } = ended.outcome;
      const resultParts = resultJson !== null && parts.isLong(resultJson) ? await parts.write(ended.id, ended.token, resultJson) : 0;
      return await batch.add({ ended, resultParts });
    },
  };
}
