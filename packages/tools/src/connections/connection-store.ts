import { hash } from 'node:crypto';
import { CONNECTION_STATUSES, type ConnectionStatus } from '@code-executor/contracts';
import { AppError } from '@code-executor/platform';
import type { Kysely, Selectable, Transaction } from 'kysely';
import type { StoredAuth } from './stored-auth.ts';
import type { ConnectionTables } from './tables.ts';

/** One row. Its secrets stay sealed. */
export interface StoredConnection {
  readonly id: string;
  readonly workspaceId: string;
  readonly integration: string;
  /** Empty: the workspace. */
  readonly ownerId: string;
  readonly name: string;
  readonly isDefault: boolean;
  readonly auth: StoredAuth;
  readonly sealedValues: string | null;
  readonly status: ConnectionStatus;
  readonly reason: string | null;
  readonly version: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

export type NewStoredConnection = Omit<StoredConnection, 'isDefault' | 'version' | 'createdAt' | 'updatedAt'> & {
  /** null: where it is the first of its integration and owner. */
  readonly isDefault: true | null;
  readonly createdBy: string;
};

export interface ConnectionStore {
  /** By id, which is the order they were made in. */
  load(): Promise<StoredConnection[]>;
  /** @throws AppError CONNECTION_EXISTS */
  insert(connection: NewStoredConnection): Promise<void>;
  /** New settings and values; tokens of the old ones are dropped. Answers whether it is still there. */
  replace(id: string, change: Pick<StoredConnection, 'auth' | 'sealedValues' | 'status' | 'reason'>): Promise<boolean>;
  makeDefault(connection: Pick<StoredConnection, 'id' | 'integration' | 'ownerId'>): Promise<void>;
  setStatus(id: string, status: ConnectionStatus, reason: string | null): Promise<void>;
  remove(id: string): Promise<void>;
  /** Answers whether there was any. */
  removeOf(integration: string): Promise<boolean>;
}

/** What a connection's values are sealed for: a row with other settings, or another row, does not open them. */
export const valuesPlace = (row: {
  readonly workspace_id: string;
  readonly id: string;
  readonly integration: string;
  readonly owner_id: string;
  readonly settings: string;
}): string => `connection ${row.workspace_id}/${row.id} of ${row.owner_id} for ${row.integration} ${hash('sha256', row.settings)}`;

/** Two processes may each make the first connection, or the default, at the same moment; one of them looks again. */
const ATTEMPTS = 4;

export function createConnectionStore(db: Kysely<ConnectionTables>, workspaceId: string): ConnectionStore {
  return {
    async load() {
      const rows = await db.selectFrom('connections').selectAll().where('workspace_id', '=', workspaceId).orderBy('id').execute();
      return rows.map(connectionOf);
    },
    insert: (connection) =>
      again(() =>
        db.transaction().execute(async (transaction) => {
          const { integration, ownerId } = connection;
          const others = await ofOwner(transaction, workspaceId, integration, ownerId);
          if (others.some(({ name }) => name === connection.name)) throw exists(connection);
          const isDefault = connection.isDefault ?? others.length === 0;
          if (isDefault) await clearDefault(transaction, workspaceId, integration, ownerId);
          await transaction
            .insertInto('connections')
            .values({
              id: connection.id,
              workspace_id: workspaceId,
              integration,
              owner_id: ownerId,
              name: connection.name,
              is_default: isDefault,
              settings: JSON.stringify(connection.auth),
              sealed_values: connection.sealedValues,
              status: connection.status,
              reason: connection.reason,
              version: 1,
              created_by: connection.createdBy,
              created_at: new Date(),
              updated_at: new Date(),
            })
            .execute();
        }),
      ),
    async replace(id, { auth, sealedValues, status, reason }) {
      return db.transaction().execute(async (transaction) => {
        const changed = await transaction
          .updateTable('connections')
          .set((row) => ({
            settings: JSON.stringify(auth),
            sealed_values: sealedValues,
            status,
            reason,
            version: row('version', '+', 1),
            updated_at: new Date(),
          }))
          .where('workspace_id', '=', workspaceId)
          .where('id', '=', id)
          .returning('id')
          .execute();
        if (changed.length === 0) return false;
        await transaction.deleteFrom('connection_grants').where('connection_id', '=', id).execute();
        await transaction.deleteFrom('authorization_attempts').where('connection_id', '=', id).execute();
        return true;
      });
    },
    makeDefault: ({ id, integration, ownerId }) =>
      again(() =>
        db.transaction().execute(async (transaction) => {
          await clearDefault(transaction, workspaceId, integration, ownerId);
          await transaction
            .updateTable('connections')
            .set({ is_default: true, updated_at: new Date() })
            .where('workspace_id', '=', workspaceId)
            .where('id', '=', id)
            .execute();
        }),
      ),
    async setStatus(id, status, reason) {
      await db
        .updateTable('connections')
        .set({ status, reason, updated_at: new Date() })
        .where('workspace_id', '=', workspaceId)
        .where('id', '=', id)
        .execute();
    },
    async remove(id) {
      await db.deleteFrom('connections').where('workspace_id', '=', workspaceId).where('id', '=', id).execute();
    },
    async removeOf(integration) {
      const removed = await db
        .deleteFrom('connections')
        .where('workspace_id', '=', workspaceId)
        .where('integration', '=', integration)
        .returning('id')
        .execute();
      return removed.length > 0;
    },
  };
}

const ofOwner = (transaction: Transaction<ConnectionTables>, workspaceId: string, integration: string, ownerId: string) =>
  transaction
    .selectFrom('connections')
    .select(['id', 'name'])
    .where('workspace_id', '=', workspaceId)
    .where('integration', '=', integration)
    .where('owner_id', '=', ownerId)
    .execute();

async function clearDefault(
  transaction: Transaction<ConnectionTables>,
  workspaceId: string,
  integration: string,
  ownerId: string,
): Promise<void> {
  await transaction
    .updateTable('connections')
    .set({ is_default: false })
    .where('workspace_id', '=', workspaceId)
    .where('integration', '=', integration)
    .where('owner_id', '=', ownerId)
    .where('is_default', '=', true)
    .execute();
}

/** Tries again where a unique index has refused; what is then there is seen by the next try. */
async function again(work: () => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      const isConflict = error instanceof Error && 'code' in error && error.code === '23505';
      if (!isConflict || attempt === ATTEMPTS) throw error;
    }
  }
}

function connectionOf(row: Selectable<ConnectionTables['connections']>): StoredConnection {
  return {
    id: row.id,
    workspaceId: row.workspace_id,
    integration: row.integration,
    ownerId: row.owner_id,
    name: row.name,
    isDefault: row.is_default,
    auth: JSON.parse(row.settings) as StoredAuth,
    sealedValues: row.sealed_values,
    status: CONNECTION_STATUSES.find((status) => status === row.status) ?? 'needs_reauthorization',
    reason: row.reason,
    version: row.version,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}

const exists = ({ integration, name }: NewStoredConnection): AppError =>
  new AppError(
    'CONNECTION_EXISTS',
    `${integration} has a connection ${name} of this owner already; change it with PATCH /connections/ID, or choose another name`,
  );
