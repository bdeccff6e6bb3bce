import { replayPlace } from '@code-executor/executions';
import { argumentsPlace } from '../approvals/approval-record.ts';
import { valuesPlace } from '../connections/connection-store.ts';
import { attemptPlace, clientPlace, tokensPlace } from '../connections/oauth/grant-store.ts';

/** A row as it is read for this: the columns that are named, all texts. */
export type SealedRow = Readonly<Record<string, string>>;

/** A column that holds sealed texts, for rotating the seal key. */
export interface SealedColumn {
  readonly table: string;
  readonly primaryKey: readonly string[];
  /** Columns, beside the primary key, that `place` reads. */
  readonly reads: readonly string[];
  readonly column: string;
  /** What the row's text is sealed for; the very same as where it is sealed. */
  place(row: SealedRow): string;
}

const column =
  <Row>(place: (row: Row) => string) =>
  (row: SealedRow): string =>
    place(row as Row);

/** Every sealed column there is. One that is missing here would not survive the end of an old key. */
export const SEALED_COLUMNS: readonly SealedColumn[] = [
  {
    table: 'integrations',
    primaryKey: ['workspace_id', 'slug'],
    reads: [],
    column: 'sealed_secrets',
    place: (row) => `integration ${row.workspace_id}/${row.slug}`,
  },
  {
    table: 'approvals',
    primaryKey: ['id'],
    reads: [],
    column: 'sealed_arguments',
    place: ({ id = '' }) => argumentsPlace(id),
  },
  {
    table: 'executions',
    primaryKey: ['id'],
    reads: [],
    column: 'sealed_replay',
    place: ({ id = '' }) => replayPlace(id),
  },
  {
    table: 'connections',
    primaryKey: ['id'],
    reads: ['workspace_id', 'integration', 'owner_id', 'settings'],
    column: 'sealed_values',
    place: column(valuesPlace),
  },
  {
    table: 'connection_grants',
    primaryKey: ['connection_id'],
    reads: ['workspace_id'],
    column: 'sealed_client',
    place: column(clientPlace),
  },
  {
    table: 'connection_grants',
    primaryKey: ['connection_id'],
    reads: ['workspace_id'],
    column: 'sealed_tokens',
    place: column(tokensPlace),
  },
  {
    table: 'authorization_attempts',
    primaryKey: ['state_hash'],
    reads: ['workspace_id', 'connection_id'],
    column: 'sealed_attempt',
    place: column(attemptPlace),
  },
];
