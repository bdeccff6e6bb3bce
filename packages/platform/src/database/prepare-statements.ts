import type { PostgresPool, PostgresPoolClient } from 'kysely';
import type { Pool, PoolClient } from 'pg';
import { createStatementNames } from './statement-names.ts';

/** Has each connection parse a statement once, and not with every execution: parsing ours takes as long as executing them. */
export function preparing(pool: Pool): PostgresPool {
  const names = createStatementNames();
  const clients = new WeakMap<PoolClient, PostgresPoolClient>();
  return {
    options: pool.options,
    end: () => pool.end(),
    async connect() {
      const client = await pool.connect();
      const known = clients.get(client) ?? wrap(client);
      clients.set(client, known);
      return known;
    },
  };

  function wrap(client: PoolClient): PostgresPoolClient {
    const query = (text: string, values: unknown[]) => {
      const name = values.length === 0 ? undefined : names.of(text);
      return client.query(name === undefined ? { text, values } : { name, text, values });
    };
    return { query, release: (destroy?: boolean) => client.release(destroy) } as unknown as PostgresPoolClient;
  }
}
