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
  test('what came while PostgreSQL was away, the end of a call and the start of another, is written once it is back', async () => {
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
      const starting = recorder.started({ ...call, id: newId('tcl'), call_number: 2, read_only: true });
      await postgres.restart();
      expect(await starting).toBe('recorded');
      await vi.waitFor(async () => expect(await effectsOf(db.query<ToolTables>(), executionId)).toBe('some'), { timeout: 10_000 });
      await postgres.kill();
      const late = recorder.started({ ...call, id: newId('tcl'), call_number: 3 });
      const refused = expect(late).rejects.toMatchObject({ code: 'LEDGER_UNAVAILABLE', retryable: true });
      await recorder.close();
      await refused;
    } finally {
      await db.close();
      await postgres.stop();
    }
  }, 60_000);
});
