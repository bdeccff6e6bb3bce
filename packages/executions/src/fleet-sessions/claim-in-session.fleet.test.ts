import { newId } from '@code-executor/contracts';
import { openRedis } from '@code-executor/platform';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { dockerAnswers } from '../../../../test/support/containers.ts';
import { CHANNELS } from '../live-stream/fleet-channels.ts';
import { testLog } from '../testing/open-test-executions.ts';
import { acceptedExecution, endOf, openTestFleet, type TestFleet } from '../testing/open-test-fleet.ts';
import { createFleetSessionStore, type FleetSessionStore } from './session-store.ts';
import { createWorkerSessionStore } from './worker-sessions.ts';

const reachable = await dockerAnswers();
const OWN = { workspaceId: 'wsp_sessions', principalId: 'key_sessions' };
const LIMITS = { idleSeconds: 900, maximum: 100, maximumOfPrincipal: 100 };

describe.skipIf(!reachable)(`claims on executions in sessions${reachable ? '' : ' (skipped: no Docker engine answers)'}`, () => {
  let fleet: TestFleet;
  let sessions: FleetSessionStore;
  beforeAll(async () => {
    fleet = await openTestFleet();
    sessions = createFleetSessionStore(fleet.db);
  });
  afterAll(async () => {
    await fleet?.close();
  });

  const ownerOf = ({ workspaceId, principalId, sessionId = '' }: ReturnType<typeof acceptedExecution>) => ({
    ...{ workspaceId, principalId, sessionId },
  });
  /** Accepted as a gateway does it. */
  async function accepted(sessionId: string, language = 'python') {
    const execution = acceptedExecution({ ...OWN, sessionId, language });
    const reserved = await sessions.reserve(ownerOf(execution), language, execution.id, LIMITS);
    await fleet.fleet.submit(execution, 1_000);
    return { execution, reserved };
  }
  async function ended(sessionId: string, workerId: string, state: 'kept' | 'none' = 'kept') {
    const { execution } = await accepted(sessionId);
    const claim = await fleet.ledger.claim(execution.id, { workerId });
    if (claim === null) throw new Error('nothing was claimed');
    await fleet.ledger.finish(endOf(claim), claim.grant, { state });
    return { execution, claim };
  }

  test('the first goes to whoever asks, the next to the worker that has it: another is refused, and the right one told', async () => {
    const messages: string[] = [];
    const subscriber = openRedis({ url: fleet.redisContainer.url, name: 'listener', log: testLog, use: 'subscriber' });
    try {
      subscriber.on('message', (_, message) => void messages.push(message));
      await subscriber.subscribe(CHANNELS.sessions);
      const { execution: first, claim } = await ended('sticky', 'worker_1');
      expect(claim.execution.session).toEqual({ incarnation: first.id, lost: null });
      const { execution, reserved } = await accepted('sticky');
      expect(reserved).toEqual({ workerId: 'worker_1' });
      expect(await fleet.ledger.claim(execution.id, { workerId: 'worker_2' })).toBeNull();
      await vi.waitFor(() => expect(messages).toContain(`run worker_1 ${execution.id}`), { timeout: 10_000 });
      const session = { incarnation: first.id, lost: null };
      for (let time = 1; time <= 2; time += 1)
        expect(await fleet.ledger.claim(execution.id, { workerId: 'worker_1' })).toMatchObject({ execution: { token: 1, session } });
      await expect(sessions.reserve(ownerOf(execution), 'python', newId('exe'), LIMITS)).rejects.toMatchObject({ code: 'SESSION_BUSY' });
      expect(await sessions.list(ownerOf(execution))).toMatchObject([{ sessionId: 'sticky', status: 'busy', executions: 2 }]);
    } finally {
      subscriber.disconnect();
    }
  });

  test('a worker that keeps as many as it may begins none, and where nobody has room for long the execution is told so', async () => {
    const { execution } = await accepted('no-room');
    const full = { workerId: 'worker_full', takesSessions: false };
    expect(await fleet.ledger.claim(execution.id, full)).toBeNull();
    await sql`update executions set created_at = now() - interval '11 seconds' where id = ${execution.id}`.execute(fleet.db.query());
    expect(await fleet.ledger.claim(execution.id, full)).toMatchObject({ execution: { session: { lost: null, isRefused: true } } });
  });

  test('one that ended before a worker took it, or never came, leaves nothing', async () => {
    const { execution } = await accepted('left-over');
    await fleet.fleet.requestCancel(execution.id, execution);
    expect((await sessions.list(ownerOf(execution))).map(({ sessionId }) => sessionId)).not.toContain('left-over');
    expect((await accepted('left-over', 'typescript')).reserved).toEqual({ workerId: null });
    const never = acceptedExecution({ ...OWN, sessionId: 'never-came' });
    await sessions.reserve(ownerOf(never), 'python', never.id, LIMITS);
    await expect(sessions.reserve(ownerOf(never), 'python', newId('exe'), LIMITS)).rejects.toMatchObject({ code: 'SESSION_BUSY' });
    await sql`update fleet_sessions set holder_until = now() - interval '1 second' where id = 'never-came'`.execute(fleet.db.query());
    expect(await sessions.reserve(ownerOf(never), 'python', newId('exe'), LIMITS)).toEqual({ workerId: null });
  });

  test('one that did not begin is no loss; one that is lost is told by whoever takes the next, and then it is begun anew', async () => {
    await ended('unbegun', 'worker_1', 'none');
    const again = await ended('unbegun', 'worker_2');
    expect(again.claim.execution.session).toEqual({ incarnation: again.execution.id, lost: null });
    await createWorkerSessionStore(fleet.db).renew('worker_2', [], [{ incarnation: again.execution.id, reason: 'a test' }]);
    const { execution, reserved } = await accepted('unbegun', 'typescript');
    expect(reserved).toEqual({ workerId: null });
    const told = await fleet.ledger.claim(execution.id, { workerId: 'worker_3' });
    expect(told?.execution.session).toEqual({ incarnation: again.execution.id, lost: 'a test' });
    if (told !== null) await fleet.ledger.finish(endOf(told), told.grant, { state: 'none' });
    const anew = await accepted('unbegun');
    expect(await fleet.ledger.claim(anew.execution.id, { workerId: 'worker_1' })).toMatchObject({
      execution: { session: { incarnation: anew.execution.id, lost: null } },
    });
  });

  test('of many that reserve one session at once, one gets it', async () => {
    await ended('contended', 'worker_1');
    const owner = ownerOf(acceptedExecution({ ...OWN, sessionId: 'contended' }));
    const tries = await Promise.allSettled(Array.from({ length: 12 }, () => sessions.reserve(owner, 'python', newId('exe'), LIMITS)));
    expect(tries.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    const unborn = ownerOf(acceptedExecution({ ...OWN, sessionId: 'unborn' }));
    const begun = await Promise.allSettled(Array.from({ length: 12 }, () => sessions.reserve(unborn, 'python', newId('exe'), LIMITS)));
    expect(begun.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });
});
