import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type ChaosFleet, openChaosFleet } from './chaos/chaos-fleet.ts';
import { ask, makeKey } from './support/ask.ts';
import { dockerAnswers } from './support/containers.ts';

interface Answer {
  executionId: string;
  status: string;
  result: unknown;
  output: string;
  error: { code: string; message: string } | null;
  effects: string;
  executionTime: number;
  approval: { id: string; tool: string; arguments: unknown; url: string } | null;
}

const answers = await dockerAnswers();

describe.skipIf(!answers)(`approvals in the fleet${answers ? '' : ' (skipped: no Docker engine answers)'}`, () => {
  let fleet: ChaosFleet;
  let agent: string;
  let operator: string;

  beforeAll(async () => {
    fleet = await openChaosFleet({ gateways: 2, workers: 1, proxies: 2 });
    const service = { url: gateway(0), key: fleet.key } as Parameters<typeof makeKey>[0];
    agent = (await makeKey(service, 'agent')).key;
    operator = (await makeKey(service, 'operator')).key;
    expect((await json('POST', '/policies', { pattern: 'ledger.*', action: 'require_approval' }, fleet.key)).status).toBe(201);
    // The other gateway hears of the keys, and the other proxy of the policy.
    await vi.waitFor(async () => expect((await json('GET', '/approvals', undefined, operator, 1)).status).toBe(200), { timeout: 10_000 });
    await sleep(1_000);
  }, 600_000);
  afterAll(async () => {
    await fleet?.close();
  }, 60_000);

  const gateway = (number: number): string => fleet.gateways[number]?.url ?? '';
  const json = async (method: string, path: string, body?: unknown, key: string = agent, at = 0) => {
    const answer = await ask({ url: gateway(at), key: fleet.key }, method, path, { key, body });
    return { status: answer.status, body: answer.json() };
  };
  const run = async (code: string, more: object = {}): Promise<Answer> =>
    (await json('POST', '/execute', { language: 'typescript', code, ...more })).body as Answer;
  const decide = (id: string | undefined, body: unknown) => json('POST', `/approvals/${id}`, body, operator, 1);
  const resume = async (id: string, at = 1): Promise<Answer> =>
    (await json('POST', `/executions/${id}/resume`, { wait: true }, agent, at)).body as Answer;
  const written = async (mark: string): Promise<number> => (await fleet.ledger.entries()).filter(({ nonce }) => nonce === mark).length;

  test('whoever waits is answered at once, any gateway decides, and the execution goes on in its sandbox', async () => {
    const paused = await run(`
      console.log('before'); globalThis.kept = 5;
      const answer = await tools.ledger.write({ nonce: 'fleet-1', sequence: 1, slowMs: 0 });
      console.log('after', globalThis.kept); return 'done';`);
    expect(paused).toMatchObject({
      status: 'paused',
      approval: { tool: 'ledger.write', arguments: { nonce: 'fleet-1', sequence: 1, slowMs: 0 } },
    });
    const seenElsewhere = async () => (await json('GET', `/executions/${paused.executionId}`, undefined, agent, 1)).body as Answer;
    const elsewhere = await seenElsewhere();
    expect(elsewhere).toMatchObject({ status: 'paused', effects: 'none', approval: { id: paused.approval?.id } });
    await sleep(200);
    // Its clock stands.
    expect((await seenElsewhere()).executionTime).toBe(elsewhere.executionTime);
    expect(await written('fleet-1')).toBe(0);
    expect((await decide(paused.approval?.id, { decision: 'approve' })).body).toMatchObject({ status: 'approved' });
    expect(await resume(paused.executionId)).toMatchObject({
      status: 'succeeded',
      result: 'done',
      output: 'before\nafter 5\n',
      effects: 'some',
    });
    expect(await written('fleet-1')).toBe(1);
  });

  test('what is denied or expired is not called, and what is cancelled neither', async () => {
    const denied = await run(
      `try { await tools.ledger.write({ nonce: 'denied', sequence: 1, slowMs: 0 }); } catch (error) { return error.code; }`,
    );
    await decide(denied.approval?.id, { decision: 'deny' });
    expect(await resume(denied.executionId)).toMatchObject({ result: 'APPROVAL_DENIED', effects: 'none' });
    const cancelled = await run(`await tools.ledger.write({ nonce: 'cancelled', sequence: 1, slowMs: 0 });`);
    const end = await json('POST', `/executions/${cancelled.executionId}/cancel`, undefined, agent, 1);
    expect(end.body).toMatchObject({ status: 'cancelled', effects: 'none' });
    await expect
      .poll(async () => ((await json('GET', `/approvals/${cancelled.approval?.id}`)).body as { status: string }).status, {
        timeout: 10_000,
      })
      .toBe('cancelled');
    expect([await written('denied'), await written('cancelled')]).toEqual([0, 0]);
  });

  test('a decision that no message told of is found, and one that lasts longer than the grant is carried out', async () => {
    const paused = await run(`await tools.ledger.write({ nonce: 'no redis', sequence: 1, slowMs: 0 }); return 'found';`);
    await fleet.redis.kill();
    try {
      expect((await decide(paused.approval?.id, { decision: 'approve' })).status).toBe(200);
      await expect.poll(() => written('no redis'), { timeout: 20_000 }).toBe(1);
    } finally {
      await fleet.redis.restart();
    }
    await vi.waitFor(async () => expect((await run('return 1;')).status).toBe('succeeded'), { timeout: 30_000, interval: 500 });
    expect((await resume(paused.executionId)).result).toBe('found');
  }, 60_000);

  test('a worker has room for others while its executions wait', async () => {
    const waiting = await Promise.all(
      Array.from({ length: 16 }, (_, index) => run(`await tools.ledger.write({ nonce: 'many-${index}', sequence: 1, slowMs: 0 });`)),
    );
    expect(waiting.map(({ status }) => status)).toEqual(Array.from({ length: 16 }, () => 'paused'));
    expect((await run('return 7;')).result).toBe(7);
    await Promise.all(waiting.map(({ executionId }) => json('POST', `/executions/${executionId}/cancel`)));
  }, 60_000);

  test('approved after kill -9 and restart of every process, an execution finishes with each write made once; one that cannot be replayed ends truthfully', async () => {
    await json('POST', '/policies', { pattern: 'ledger.write', action: 'allow', when: [{ path: 'sequence', equals: 0 }] }, fleet.key);
    await sleep(500);
    const code = `
      const mark = crypto.randomUUID();
      console.log('first', mark, Date.now());
      await tools.ledger.write({ nonce: 'before ' + args.name, sequence: 0, slowMs: 0 });
      await tools.ledger.write({ nonce: args.name + mark, sequence: 1, slowMs: 0 });
      console.log('last');
      return mark;`;
    const paused = await run(code, { args: { name: 'survivor ' } });
    const node = await run(`return await tools.ledger.write({ nonce: 'node', sequence: 1, slowMs: 0 });`, { language: 'node' });
    expect([paused, node]).toMatchObject([{ status: 'paused', output: expect.stringMatching(/^first /) }, { status: 'paused' }]);

    const everything = [...fleet.gateways, ...fleet.workers, ...fleet.proxies];
    await Promise.all(everything.map((each) => each.kill()));
    // One after the other: all at once take longer on two processors.
    for (const each of [...fleet.proxies, ...fleet.gateways, ...fleet.workers]) await each.start();

    const again = (await json('GET', `/executions/${paused.executionId}`)).body as Answer;
    expect(again).toMatchObject({ status: 'paused', effects: 'some', approval: { id: paused.approval?.id } });
    expect(again.executionTime).toBe(paused.executionTime);
    expect((await decide(paused.approval?.id, { decision: 'approve' })).status).toBe(200);
    const ended = await resume(paused.executionId);
    expect(ended).toMatchObject({ status: 'succeeded', output: `${paused.output}last\n`, effects: 'some' });
    expect([await written('before survivor '), await written(`survivor ${ended.result as string}`)]).toEqual([1, 1]);
    await expect
      .poll(async () => ((await json('GET', `/executions/${node.executionId}`)).body as Answer).status, { timeout: 20_000 })
      .toBe('failed');
    expect((await json('GET', `/executions/${node.executionId}`)).body).toMatchObject({ error: { code: 'WORKER_LOST' }, effects: 'none' });
    expect(await written('node')).toBe(0);
  }, 240_000);
});
