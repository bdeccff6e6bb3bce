import type { PostgresPool, PostgresPoolClient } from 'kysely';
import type { Pool, PoolClient } from 'pg';
import { createStatementNames } from './statement-names.ts';

/** A plan that was made while a table was empty must not be kept while it grows. */
const PLANS_KEPT_MS = 10_000;

/** Has each connection parse a statement once, and not with every execution: parsing ours takes as long as executing them. */
export function preparing(pool: Pool): PostgresPool {
  const names = createStatementNames();
  const clients = new WeakMap<PoolClient, PostgresPoolClient>();
  const plannedAtMs = new WeakMap<PoolClient, number>();
  return {
    options: pool.options,
    end: () => pool.end(),
    async connect() {
      const client = await pool.connect();
      await replan(client);
      const known = clients.get(client) ?? wrap(client);
      clients.set(client, known);
      return known;
    },
  };

  async function replan(client: PoolClient): Promise<void> {
    const nowMs = performance.now();
    const plannedMs = plannedAtMs.get(client) ?? nowMs;
    const isOld = nowMs - plannedMs >= PLANS_KEPT_MS;
    plannedAtMs.set(client, isOld ? nowMs : plannedMs);
    if (!isOld) return;
    try {
      await client.query('discard plans');
    } catch (error) {
      client.release(true);
      throw error;
    }
  }

  function wrap(client: PoolClient): PostgresPoolClient {
    const query = (text: string, values: unknown[]) => {
      const name = values.length === 0 ? undefined : names.of(text);
      return client.query(name === undefined ? { text, values } : { name, text, values });
    };
    return { query, release: (destroy?: boolean) => client.release(destroy) } as unknown as PostgresPoolClient;
  }
}
