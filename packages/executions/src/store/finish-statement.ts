import type { Database } from '@code-executor/platform';
import type { ExecutionOutcome } from '../execution.ts';
import { someWait } from './some-wait.ts';
import { toTextColumn } from './text-column.ts';
import { columnNames, type TypedColumns, valuesStatements } from './values-statement.ts';

export interface EndedExecution {
  readonly id: string;
  /** The one it was claimed with; 0: it was never claimed. */
  readonly token: number;
  readonly endedAt: Date;
  readonly queueMs: number;
  readonly totalMs: number;
  readonly outputTokens: number;
  readonly outcome: ExecutionOutcome;
  /** null: the events of its run died with their process. */
  readonly eventsJson: string | null;
}

/** The first two say which row; the rest is set. */
const FINISH_COLUMNS: TypedColumns = [
  ['id', 'text'],
  ['token', 'int4'],
  ['status', 'text'],
  ['ended_at', 'timestamptz'],
  ['output', 'text'],
  ['result_json', 'text'],
  ['result_parts', 'int4'],
  ['error_json', 'text'],
  ['execution_ms', 'float8'],
  ['truncated', 'bool'],
  ['dropped_bytes', 'int8'],
  ['effects', 'text'],
  ['tool_calls_json', 'text'],
  ['queue_ms', 'float8'],
  ['total_ms', 'float8'],
  ['warm', 'bool'],
  ['output_bytes', 'int8'],
  ['output_tokens', 'int4'],
  ['events_json', 'text'],
];

/** `resultParts` above 0: the result is written already, in so many parts. */
export function finishParameters({ ended, resultParts }: { readonly ended: EndedExecution; readonly resultParts: number }): unknown[] {
  const { outcome } = ended;
  return [
    ended.id,
    ended.token,
    outcome.status,
    ended.endedAt.toISOString(),
    toTextColumn(outcome.output),
    outcome.resultJson === null || resultParts > 0 ? null : toTextColumn(outcome.resultJson),
    resultParts,
    outcome.error === null ? null : JSON.stringify(outcome.error),
    outcome.executionTimeMs,
    outcome.truncated,
    outcome.droppedBytes,
    outcome.effects,
    JSON.stringify(outcome.toolCalls),
    ended.queueMs,
    ended.totalMs,
    outcome.warm ?? false,
    outcome.outputBytes,
    ended.outputTokens,
    ended.eventsJson,
  ];
}

/** Whose end was written. */
export interface FinishedRow {
  readonly id: string;
  readonly token: number;
  readonly workspaceId: string;
  readonly principalId: string;
  readonly requestId: string;
  readonly language: string;
  readonly createdAt: Date;
  readonly traceparent?: string | null | undefined;
  /** Others of its workspace waited for their turn; absent: nobody looked. */
  readonly othersWait?: boolean | undefined;
}

/**
 * Writes the ends of n executions whose tokens are still good, and answers their FinishedRows. On PostgreSQL others lock
 * several rows at once too: all do it in the order of the ids, so that no two wait for each other.
 */
export function finishStatements(kind: Database['kind']): (rows: number) => string {
  const names = columnNames(FINISH_COLUMNS);
  // What it could be replayed from is of no use any more, and nobody's business.
  const set = [...FINISH_COLUMNS.slice(2).map(([name]) => `${name} = v.${name}`), 'sealed_replay = null', 'waits_for = null'].join(', ');
  const returning = `returning e.id, e.token, e.workspace_id as "workspaceId", e.principal_id as "principalId", e.request_id as "requestId",
    e.language, e.created_at as "createdAt", e.traceparent`;
  if (kind === 'pglite') {
    return valuesStatements(
      FINISH_COLUMNS,
      (values) => `update executions e set ${set} from (values ${values}) as v (${names})
        where e.id = v.id and e.token = v.token and e.ended_at is null ${returning}`,
    );
  }
  return valuesStatements(
    FINISH_COLUMNS,
    (values) => `with v (${names}) as (values ${values}),
      held as materialized (
        select e.id from executions e join v on e.id = v.id and e.token = v.token
        where e.ended_at is null order by e.id for no key update of e)
      update executions e set ${set} from v join held on held.id = v.id
      where e.id = v.id and e.token = v.token and e.ended_at is null ${returning},
        ${someWait('e.workspace_id')} as "othersWait"`,
  );
}
