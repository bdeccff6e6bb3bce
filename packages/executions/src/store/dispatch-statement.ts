import type { AcceptedExecution } from '../execution.ts';
import { KEY_PARAMETERS, TAKE_KEY } from './idempotency-key.ts';
import { INSERT_COLUMNS, insertParameters } from './insert-statement.ts';
import { someWait } from './some-wait.ts';
import { casts, columnNames, type TypedColumns, valuesStatements } from './values-statement.ts';

export interface SubmittedExecution {
  readonly execution: AcceptedExecution;
  /** Executions of its workspace that may be in flight, itself included. */
  readonly share: number;
}

const COLUMNS: TypedColumns = [...INSERT_COLUMNS, ['share', 'int4']];

const NAMES = columnNames(INSERT_COLUMNS);
/** In the order of the workspaces, so that no two that submit for several of them wait for each other. */
const DISPATCH = `
  numbered as (select v.*, row_number() over (partition by workspace_id order by id) as place from v),
  room as materialized (
    select w.workspace_id,
      case when ${someWait('w.workspace_id')} then 0 else executions_room(w.workspace_id, w.share) end as places
    from (select workspace_id, max(share) as share from v group by workspace_id order by workspace_id) w)
  insert into executions (${NAMES}, dispatched_at)
  select ${INSERT_COLUMNS.map(([name]) => `n.${name}`).join(', ')}, case when n.place <= r.places then clock_timestamp() end
  from numbered n join room r on r.workspace_id = n.workspace_id
  on conflict (id) do nothing
  returning id, dispatched_at is not null as dispatched`;

export const submitParameters = ({ execution, share }: SubmittedExecution): unknown[] => [
  ...insertParameters({ execution, startedBy: null }),
  share,
];

/**
 * Writes n executions, and in the same statement decides which of them go to the queue: those for which their workspace
 * has room, unless others of it wait already. An id that is there already was written by an earlier try of the same write.
 */
export const submitStatement = valuesStatements(COLUMNS, (values) => `with v (${columnNames(COLUMNS)}) as (values ${values}), ${DISPATCH}`);

/** The same for one execution, if its Idempotency-Key is free; its first parameters are the key's. */
export const SUBMIT_ONCE = `with ${TAKE_KEY},
  v (${columnNames(COLUMNS)}) as (select ${casts(COLUMNS, KEY_PARAMETERS)} from taken), ${DISPATCH}`;
