import type { PostgresPool, PostgresPoolClient } from 'kysely';
import type { Pool, PoolClient } from 'pg';

/** Texts that vary without bound, such as lists, must not fill the connections' memory. */
const PREPARED_MAXIMUM = 200;

/** The columns of its answer are those that the table has at the time. */
const ANSWERS_WHATEVER_THERE_IS = /^\s*select\s+(?:"?\w+"?\.)?\*|\breturning\s+(?:"?\w+"?\.)?\*/i;

/**
 * Has each connection parse a statement once, and not with every execution: parsing ours takes as long as executing them.
 * One that answers `*` is left as it is, for PostgreSQL refuses a prepared one whose columns a migration has changed.
 */
export function preparing(pool: Pool): PostgresPool {
  const names = new Map<string, string>();
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
      const name = values.length === 0 ? undefined : nameOf(text);
      return client.query(name === undefined ? { text, values } : { name, text, values });
    };
    return { query, release: (destroy?: boolean) => client.release(destroy) } as unknown as PostgresPoolClient;
  }

  function nameOf(text: string): string | undefined {
    const known = names.get(text);
    if (known !== undefined || names.size >= PREPARED_MAXIMUM || ANSWERS_WHATEVER_THERE_IS.test(text)) return known;
    const name = `executor_${names.size}`;
    names.set(text, name);
    return name;
  }
}
