import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogger, openDatabase } from '@code-executor/platform';
import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { openSeal } from '../integrations/seal.ts';
import { toolMigrations } from '../migrations.ts';
import type { ToolTables } from '../tables.ts';
import { createApprovals } from './approvals.ts';

const log = createLogger({ level: 'silent', service: 'test' });

test('what one key asks without end takes nobody else a place among what waits for people', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'approvals-'));
  const db = await openDatabase({ directory, log });
  await db.migrate('tools', toolMigrations);
  const seal = await openSeal(join(directory, 'seal.key'));
  const approvals = createApprovals(
    {},
    { db: db.query<ToolTables>(), seal, log, now: Date.now, outbound: undefined, allowAlways: async () => null },
  );
  const ask = (principalId: string, callNumber: number) =>
    approvals.ask({
      workspaceId: 'wsp_default',
      executionId: `exe_${principalId}`,
      callNumber,
      principalId,
      server: 'notes',
      tool: 'note',
      connection: null,
      canonicalArguments: '{}',
      argumentDigest: 'digest',
      definitionDigest: 'definition',
      policyReason: 'none',
    });
  try {
    await ask('greedy', 1);
    await sql`
      insert into approvals select (jsonb_populate_record(a, jsonb_build_object('id', 'apr_' || n, 'call_number', n))).*
      from approvals a, generate_series(2, 500) n`.execute(db.query());
    await expect(ask('greedy', 501)).rejects.toMatchObject({ code: 'CALL_LIMIT', message: expect.stringContaining('of this key') });
    // The same call again is no further one.
    expect((await ask('greedy', 7)).call_number).toBe(7);
    expect((await ask('modest', 1)).status).toBe('pending');
  } finally {
    await approvals.close();
    await db.close();
    await rm(directory, { recursive: true, force: true });
  }
}, 60_000);
