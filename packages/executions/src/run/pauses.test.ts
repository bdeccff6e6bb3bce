import { newId } from '@code-executor/contracts';
import { expect, test } from 'vitest';
import { createLiveExecutions } from '../live-executions.ts';
import { createPauseRoom } from './pause-room.ts';
import { createPauses, type SavedPause } from './pauses.ts';
import { LET_GO } from './stop-reason.ts';

test('what is decided while a sandbox is being let go is left to the replay', async () => {
  const grant = { executionId: newId('exe'), workspaceId: 'wsp_default', principalId: 'key_alice' };
  const live = createLiveExecutions().open(
    { ...grant, id: grant.executionId, requestId: 'req_test', language: 'typescript', createdAt: new Date() },
    Date.now(),
  );
  const written: (SavedPause | null)[] = [];
  const decided = Promise.withResolvers<void>();
  const issued: (string | undefined)[] = [];
  const pauses = createPauses({
    live,
    grant,
    token: 1,
    rows: {
      async setPaused(_, pause) {
        written.push(pause);
        return undefined;
      },
    },
    room: createPauseRoom(0),
    keepMs: 60_000,
    checkpoint: () => '{}',
    effects: () => 'none',
    whenDecided: () => decided.promise,
    now: Date.now,
  });
  // The signal of its calls: nobody aborts it before the processes are gone.
  const { signal } = new AbortController();
  const outcome = pauses.through(async (approvalId) => {
    issued.push(approvalId);
    return approvalId === undefined
      ? {
          reply: { ok: false, error: { code: 'TOOL_NEEDS_APPROVAL', message: 'wait' } },
          effects: 'none',
          approval: { id: 'apr_1', expiresAt: '2100-01-01T00:00:00.000Z' },
        }
      : { reply: { ok: true, value: 'made' }, effects: 'some' };
  }, signal);
  await expect.poll(() => live.stop.signal.aborted).toBe(true);
  expect(live.stop.signal.reason).toBe(LET_GO);
  decided.resolve();
  expect(await outcome).toMatchObject({ reply: { ok: false, error: { code: 'CALL_ABORTED' } }, effects: 'none' });
  expect(issued).toEqual([undefined]);
  expect(written.at(-1)).toMatchObject({ waitsFor: ['apr_1'] });
  expect(live.waitsFor).toEqual(['apr_1']);
});
