import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogger, openDatabase } from '@code-executor/platform';
import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { toolMigrations } from '../migrations.ts';
import type { ToolTables } from '../tables.ts';
import { createPolicies } from './policies.ts';

test('policies of a version that knew neither conditions nor principals go on as they were', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'code-executor-policies-'));
  const db = await openDatabase({ directory, log: createLogger({ level: 'silent', service: 'test' }) });
  try {
    const old = Object.fromEntries(Object.entries(toolMigrations).filter(([name]) => name < '003'));
    await db.migrate('tools', old);
    await sql`insert into policies (id, workspace_id, pattern, action) values ('pol_old', 'wsp_default', 'github.*', 'block')`.execute(
      db.query(),
    );
    await db.migrate('tools', toolMigrations);
    const policies = await createPolicies(db.query<ToolTables>(), 'wsp_default', Date.now);
    expect(policies.list()).toMatchObject([
      { id: 'pol_old', pattern: 'github.*', action: 'block', when: null, principal: null, limits: null },
    ]);
    const again = await policies.add({ pattern: 'github.*', action: 'allow' });
    expect(policies.list()).toEqual([again]);
    const more = await policies.add({ pattern: 'github.*', action: 'block', principal: ['role:agent'] });
    expect(policies.list()).toEqual([again, more]);
    expect(await policies.reload()).toBe(false);
  } finally {
    await db.close();
    await rm(directory, { recursive: true, force: true });
  }
});
