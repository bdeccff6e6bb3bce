import { newId } from '@code-executor/contracts';
import { createLogger, openDatabase } from '@code-executor/platform';
import { describe, expect, test, vi } from 'vitest';
import { dockerAnswers, startPostgres } from '../../../../test/support/containers.ts';
import { toolMigrations } from '../migrations.ts';
import type { ToolTables } from '../tables.ts';
import { createCallRecorder } from './call-recorder.ts';
import { effectsOf } from './effects-of.ts';

const reachable = await dockerAnswers();
const log = createLogger({ level: 'silent', service: 'test' });

describe.skipIf(!reachable)(`the journal on PostgreSQL${reachable ? '' : ' (skipped: no Docker engine answers)'}`, () => {
  test('the end of a call that came while PostgreSQL was away is written once it is back; a call that began then was not made', async () => {
    const postgres = await startPostgres();
    const db = await openDatabase({ url: postgres.url, directory: '', log });
    const recorder = createCallRecorder(db.query<ToolTables>(), log);
    const executionId = newId('exe');
    const call = {
      id: newId('tcl'),
      workspace_id: 'wsp_default',
      principal_id: 'key_test',
      execution_id: executionId,
      call_number: 1,
      server: 'ledger',
      tool: 'write',
      argument_digest: 'd',
      idempotency_key: 'k',
      decision: 'allow',
      read_only: false,
      dispatched_at: new Date(),
    };
    try {
      await db.migrate('tools', toolMigrations);
      expect(await recorder.started(call)).toBe('recorded');
      await postgres.kill();
      recorder.finished({ call_id: call.id, outcome: 'ok', duration_ms: 1, reply_bytes: 2, finished_at: new Date() });
      await expect(recorder.started({ ...call, id: newId('tcl'), call_number: 2 })).rejects.toMatchObject({ code: 'INTERNAL' });
      await postgres.restart();
      await vi.waitFor(async () => expect(await effectsOf(db.query<ToolTables>(), executionId)).toBe('some'), { timeout: 10_000 });
    } finally {
      await recorder.close();
      await db.close();
      await postgres.stop();
    }
  }, 60_000);
});
