import type { Database } from '@code-executor/platform';
import type { ToolDomain } from '@code-executor/tools';
import type { Redis } from 'ioredis';
import { sql } from 'kysely';
import type { Readiness } from './proxy-app.ts';

/** One look serves everybody who asks within it. */
const LOOK_LIFETIME_MS = 500;
const DATABASE_TIMEOUT_MS = 2_000;
/** Servers that take longer to start are waited for by the calls to them, not by the fleet. */
const SERVERS_PATIENCE_MS = 30_000;

/** Ready means that a claim, a tool call and an end would all go through now: database and Redis answer, and the catalog is whole. */
export function createReadiness(deps: {
  readonly db: Database;
  readonly redis: Redis;
  readonly tools: Pick<ToolDomain, 'ready'>;
}): Readiness {
  const { db, redis, tools } = deps;
  let isCatalogWhole = false;
  const settled = (): void => {
    isCatalogWhole = true;
  };
  tools.ready(AbortSignal.timeout(SERVERS_PATIENCE_MS)).then(settled, settled);
  let last: { readonly answer: Promise<readonly string[]>; readonly staleAtMs: number } | null = null;

  async function look(): Promise<readonly string[]> {
    const [database, redisProblem] = await Promise.all([
      problemOf('database', () => within(DATABASE_TIMEOUT_MS, sql`select 1`.execute(db.query()))),
      problemOf('redis', () => redis.ping()),
    ]);
    return [database, redisProblem, isCatalogWhole ? null : 'tool servers'].filter((problem) => problem !== null);
  }

  return {
    waitingFor() {
      const nowMs = performance.now();
      if (last === null || nowMs > last.staleAtMs) last = { answer: look(), staleAtMs: nowMs + LOOK_LIFETIME_MS };
      return last.answer;
    },
  };
}

/** null: it is well. Its name alone is told, for the answer is public; why is in the log of what reconnects. */
async function problemOf(name: string, probe: () => Promise<unknown>): Promise<string | null> {
  const [{ status }] = await Promise.allSettled([probe()]);
  return status === 'fulfilled' ? null : name;
}

async function within<Answer>(timeoutMs: number, work: Promise<Answer>): Promise<Answer> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
