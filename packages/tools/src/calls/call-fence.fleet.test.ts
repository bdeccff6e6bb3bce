import { setTimeout as sleep } from 'node:timers/promises';
import { type Effects, newId } from '@code-executor/contracts';
import { createFleetStore, executionMigrations, type FleetStore, heldExecutions } from '@code-executor/executions';
import { createLogger, type Database, openDatabase } from '@code-executor/platform';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { dockerAnswers, startPostgres, type TestContainer } from '../../../../test/support/containers.ts';
import { toolMigrations } from '../migrations.ts';
import type { ToolTables } from '../tables.ts';
import { type CallRecorder, createCallRecorder } from './call-recorder.ts';
import { effectsOf } from './effects-of.ts';
import type { StartedCall } from './insert-starts.ts';

const reachable = await dockerAnswers();
const log = createLogger({ level: 'silent', service: 'test' });

describe.skipIf(!reachable)(`the journal of the fleet's calls${reachable ? '' : ' (skipped: no Docker engine answers)'}`, () => {
  let postgres: TestContainer;
  /** The one that records, and the one that judges: two processes have two pools. */
  let db: Database;
  let judging: Database;
  let fleet: FleetStore;
  let recorder: CallRecorder;
  beforeAll(async () => {
    postgres = await startPostgres();
    db = await openDatabase({ url: postgres.url, directory: '', log });
    judging = await openDatabase({ url: postgres.url, directory: '', log });
    await db.migrate('executions', executionMigrations);
    await db.migrate('tools', toolMigrations);
    fleet = createFleetStore(db);
    recorder = createCallRecorder(db.query<ToolTables>(), log, { fence: heldExecutions });
  });
  afterAll(async () => {
    await recorder?.close();
    await Promise.all([db?.close(), judging?.close()]);
    await postgres?.stop();
  });

  async function claim(leaseMs: number): Promise<{ readonly id: string; readonly token: number }> {
    const id = newId('exe');
    const text = { principalId: 'key_test', requestId: 'req_test', language: 'typescript', code: '' };
    const request = { args: {}, files: {}, timeoutMs: 1_000, typecheck: false, createdAt: new Date() };
    await fleet.submit({ id, workspaceId: newId('wsp'), ...text, ...request }, 1);
    const claimed = await fleet.claim(id, 'worker_1', leaseMs);
    if (claimed === null) throw new Error('nothing was claimed');
    return claimed;
  }

  const callOf = (executionId: string | null, callNumber: number): StartedCall => ({
    id: newId('tcl'),
    workspace_id: 'wsp_default',
    principal_id: 'key_test',
    execution_id: executionId,
    call_number: executionId === null ? null : callNumber,
    server: 'ledger',
    tool: 'write "ü" ☃',
    argument_digest: 'd',
    idempotency_key: 'k',
    decision: 'allow',
    read_only: false,
    dispatched_at: new Date(),
  });

  /** Ends what has expired, as the reconciler does; `ended` gets the effects it saw. */
  async function judge(ended: Map<string, Effects>): Promise<void> {
    await createFleetStore(judging).endExpired(
      async ({ id, token, now }) => {
        const effects = await effectsOf(judging.query<ToolTables>(), id);
        ended.set(id, effects);
        const error = { code: 'WORKER_LOST' as const, message: '' };
        const nothing = { resultJson: null, output: '', truncated: false, droppedBytes: 0, outputBytes: 0, executionTimeMs: 0 };
        const outcome = { status: 'failed' as const, error, ...nothing, effects, toolCalls: [], warm: null };
        return { id, token, endedAt: now, queueMs: 0, totalMs: 0, outputTokens: 0, outcome, eventsJson: null };
      },
      () => true,
    );
  }

  test('a call is recorded once, under the claim that holds and no other, and kept as it was', async () => {
    const held = await claim(60_000);
    const other = await claim(60_000);
    const row = callOf(held.id, 1);
    const all = await Promise.all([
      recorder.started(row, held.token),
      recorder.started(callOf(held.id, 1), held.token),
      recorder.started(callOf(held.id, 2), held.token + 1),
      recorder.started(callOf(held.id, 3)),
      recorder.started(callOf(newId('exe'), 1), 1),
      recorder.started(callOf(other.id, 1), other.token),
      recorder.started(callOf(null, 1)),
    ]);
    expect(all).toEqual(['recorded', 'repeated', 'stale', 'stale', 'stale', 'recorded', 'recorded']);
    expect(await recorder.started(callOf(held.id, 1), held.token)).toBe('repeated');
    const stored = await db.query<ToolTables>().selectFrom('tool_calls').selectAll().where('id', '=', row.id).executeTakeFirstOrThrow();
    expect(stored).toEqual({ ...row, connection: null, policy_id: null });
    expect(await fleet.requestCancel(other.id, { workspaceId: 'wsp_none' })).toBeNull();
    await sleep(5);
    const expired = await claim(1);
    await sleep(20);
    expect(await recorder.started(callOf(expired.id, 1), expired.token)).toBe('stale');
  });

  test('an execution that ends as lost with no effects has no call that was dispatched, in hundreds of races', async () => {
    const ended = new Map<string, Effects>();
    const dispatched = new Map<string, number>();
    let refused = 0;
    let races = 0;
    const isOver = { yes: false };
    const judges = [0, 1].map(async () => {
      while (!isOver.yes) {
        await judge(ended);
        await sleep(1);
      }
    });
    // Kept where about half of the calls come too late, however fast the machine is at the moment.
    let leaseMs = 20;
    const race = async (): Promise<void> => {
      const { id, token } = await claim(leaseMs * (0.5 + Math.random()));
      races += 1;
      for (let callNumber = 1; callNumber < 5; callNumber += 1) {
        await sleep(Math.random() * leaseMs * 0.5);
        const isRecorded = (await recorder.started(callOf(id, callNumber), token)) === 'recorded';
        leaseMs = Math.min(2_000, Math.max(2, leaseMs * (isRecorded ? 0.97 : 1.03)));
        if (isRecorded) dispatched.set(id, (dispatched.get(id) ?? 0) + 1);
        else refused += 1;
      }
    };
    const until = performance.now() + 12_000;
    await Promise.all(
      Array.from({ length: 8 }, async () => {
        while (performance.now() < until && races < 600) await race();
      }),
    );
    while (ended.size < races && performance.now() < until + 10_000) await sleep(20);
    isOver.yes = true;
    await Promise.all(judges);

    expect(ended.size).toBeGreaterThanOrEqual(races);
    const lies = [...ended].filter(([id, effects]) => (effects === 'none') === dispatched.has(id));
    expect(lies).toEqual([]);
    process.stdout.write(`${races} races: ${dispatched.size} with dispatched calls, ${refused} calls refused\n`);
    // Neither side of the race is to be empty.
    expect(dispatched.size).toBeGreaterThan(races / 20);
    expect(refused).toBeGreaterThan(races / 20);
  }, 60_000);
});
