import { setTimeout as sleep } from 'node:timers/promises';
import { newId, type Principal } from '@code-executor/contracts';
import { createLogger, type Database, openDatabase } from '@code-executor/platform';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { dockerAnswers, startPostgres, type TestContainer } from '../../../../test/support/containers.ts';
import { toolMigrations } from '../migrations.ts';
import { createAudit } from './audit.ts';
import { startAuditPurge } from './audit-purge.ts';

const DAY_MS = 24 * 60 * 60 * 1_000;
/** More than are checked, or purged, at once. */
const OLD = 600;
const ADMIN: Principal = { id: 'key_admin', workspaceId: 'wsp_default', role: 'admin' };
const log = createLogger({ level: 'silent', service: 'test' });
const reachable = await dockerAnswers();

describe.skipIf(!reachable)(`the record on PostgreSQL${reachable ? '' : ' (skipped: no Docker engine answers)'}`, () => {
  let postgres: TestContainer;
  let proxies: Database[] = [];
  beforeAll(async () => {
    postgres = await startPostgres();
    proxies = await Promise.all([1, 2].map(() => openDatabase({ url: postgres.url, directory: '', log, connections: 4 })));
    await proxies[0]?.migrate('tools', toolMigrations);
  });
  afterAll(async () => {
    for (const db of proxies) await db.close();
    await postgres?.stop();
  });

  test('two proxies purge it at once, each act and call one time, and at no moment is its chain broken', async () => {
    const [one, other] = proxies as [Database, Database];
    let nowMs = Date.now() - 200 * DAY_MS;
    const now = () => nowMs;
    const audit = createAudit({ db: one, log, now, findPrincipal: () => ADMIN });
    for (let index = 0; index < OLD; index += 1) {
      nowMs += 1;
      await audit.record({ type: 'policy.change', principal: ADMIN, target: `pol_${index}` });
    }
    const old = Array.from({ length: OLD }, (_, index) => newId('tcl', nowMs + index));
    await sql`insert into tool_calls (id, workspace_id, principal_id, server, tool, argument_digest, idempotency_key, decision, read_only, dispatched_at)
      select id, 'wsp_default', 'key_admin', 's', 't', 'd', 'k', 'allow', false, now() from unnest(${old}::text[]) id`.execute(one.query());
    await sql`insert into tool_call_outcomes (call_id, outcome, duration_ms, reply_bytes, finished_at)
      select id, 'ok', 1, 1, now() from unnest(${old}::text[]) id`.execute(one.query());
    nowMs = Date.now();
    await audit.record({ type: 'key.create', principal: ADMIN, target: 'key_new' });

    const purges = [one, other].map((db) => startAuditPurge({ retentionDays: 180 }, { db, log, now, sweep: async () => undefined }));
    let over = false;
    const broken: unknown[] = [];
    const watching = (async () => {
      while (!over) {
        const { whole, ...rest } = await audit.verify('wsp_default', AbortSignal.timeout(30_000));
        if (!whole) broken.push(rest);
        await sleep(1);
      }
    })();
    try {
      const purged = await Promise.all(purges.map((purge) => purge.runOnce()));
      expect(purged.reduce((sum, count) => sum + count, 0)).toBe(2 * OLD);
    } finally {
      over = true;
      await watching;
      for (const purge of purges) await purge.stop();
    }
    expect(broken).toEqual([]);
    expect(await audit.verify('wsp_default', AbortSignal.timeout(30_000))).toMatchObject({ whole: true, checked: 1 });
    const { rows } =
      await sql`select (select count(*)::int from tool_calls) calls, (select count(*)::int from tool_call_outcomes) outcomes`.execute(
        one.query(),
      );
    expect(rows).toEqual([{ calls: 0, outcomes: 0 }]);
  });
});
