import { createHmac } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type ChaosFleet, openChaosFleet } from './chaos/chaos-fleet.ts';
import { ask, makeKey } from './support/ask.ts';
import { dockerAnswers } from './support/containers.ts';
import { freePort } from './support/free-port.ts';

interface Answer {
  executionId: string;
  status: string;
  result: unknown;
  error: { code: string; message: string } | null;
  effects: string;
  approval: { id: string } | null;
}
interface Reply<Body = Record<string, unknown>> {
  readonly status: number;
  readonly body: Body;
}

const SECRET = 'a secret of the webhook';
const answers = await dockerAnswers();

describe.skipIf(!answers)(`what needs a decision in the fleet${answers ? '' : ' (skipped: no Docker engine answers)'}`, () => {
  let fleet: ChaosFleet;
  let agent: { key: string; id: string };
  let operator: { key: string; id: string };
  let receiver: Server | null = null;
  let receiverPort: number;
  const received: { readonly delivery: string; readonly isGenuine: boolean }[] = [];

  beforeAll(async () => {
    receiverPort = await freePort();
    fleet = await openChaosFleet(
      { gateways: 2, workers: 1, proxies: 2 },
      {},
      {
        ofProxies: {
          EXECUTOR_APPROVAL_TTL_SECONDS: '120',
          EXECUTOR_APPROVAL_WEBHOOK_URL: `http://127.0.0.1:${receiverPort}/hook`,
          EXECUTOR_APPROVAL_WEBHOOK_SECRET: SECRET,
        },
      },
    );
    agent = await keyOf('agent');
    operator = await keyOf('operator');
    expect((await json('POST', '/policies', { pattern: 'ledger.*', action: 'require_approval' }, fleet.key)).status).toBe(201);
    await everywhere(async (at) => (await preview({ nonce: 'x', sequence: 1, slowMs: 0 }, at)).body.action === 'require_approval');
  }, 600_000);
  afterAll(async () => {
    receiver?.closeAllConnections();
    receiver?.close();
    await fleet?.close();
  }, 60_000);

  const url = (at: number): string => fleet.gateways[at]?.url ?? '';
  const keyOf = (role: string) => makeKey({ url: url(0), key: fleet.key } as Parameters<typeof makeKey>[0], role);
  async function json<Body = Record<string, unknown>>(method: string, path: string, body?: unknown, key = agent.key, at = 0) {
    const answer = await ask({ url: url(at), key: fleet.key }, method, path, { key, body });
    return { status: answer.status, body: (answer.text === '' ? null : answer.json()) as Body } satisfies Reply<Body>;
  }
  const preview = (args: object, at = 0, key = agent.key) =>
    json<{ action: string; decidedBy: unknown }>('POST', '/policies/preview', { tool: 'ledger.write', arguments: args }, key, at);
  /** A change has reached both gateways, and the proxies behind them. */
  const everywhere = async (holds: (at: number) => Promise<boolean>): Promise<void> => {
    for (const at of [0, 1, 0, 1, 0, 1])
      await vi.waitFor(async () => expect(await holds(at)).toBe(true), { timeout: 20_000, interval: 100 });
  };
  const write = (nonce: string, sequence = 1): string => `tools.ledger.write({ nonce: '${nonce}', sequence: ${sequence}, slowMs: 0 })`;
  const run = async (code: string, at = 0, key = agent.key): Promise<Answer> =>
    (await json<Answer>('POST', '/execute', { language: 'typescript', code }, key, at)).body;
  const paused = async (nonce: string, at = 0, key = agent.key): Promise<Answer & { approval: { id: string } }> => {
    const answer = await run(`try { return await ${write(nonce)}; } catch (error) { return error.code; }`, at, key);
    expect(answer).toMatchObject({ status: 'paused', effects: 'none', approval: { id: expect.any(String) } });
    return answer as Answer & { approval: { id: string } };
  };
  const decide = (id: string, body: object, at = 1, key = operator.key) => json('POST', `/approvals/${id}`, body, key, at);
  const resume = (id: string, body: object, at: number, key = operator.key) =>
    json<Answer>('POST', `/executions/${id}/resume`, body, key, at);
  const written = async (nonce: string): Promise<number> => (await fleet.ledger.entries()).filter((entry) => entry.nonce === nonce).length;
  const end = async (id: string, at = 1): Promise<Answer> => (await resume(id, { wait: true }, at, agent.key)).body;

  test('one that two decide on through two gateways at once is made once, and both are told the same end', async () => {
    for (const round of [1, 2, 3]) {
      const { executionId } = await paused(`twice ${round}`);
      const ends = await Promise.all([0, 1, 0, 1].map((at) => resume(executionId, { decision: 'approve', wait: true }, at)));
      expect(ends.map(({ status, body }) => [status, body.status, body.result])).toEqual(ends.map(() => [200, 'succeeded', 'written 1']));
      expect(await written(`twice ${round}`)).toBe(1);
    }
  }, 120_000);

  test('of an approval and a denial that come at once one counts, and the other is told so', async () => {
    for (const round of [1, 2, 3]) {
      const { executionId, approval } = await paused(`both ${round}`);
      const both = await Promise.all([decide(approval.id, { decision: 'approve' }, 0), decide(approval.id, { decision: 'deny' }, 1)]);
      expect(both.map(({ status }) => status).sort()).toEqual([200, 409]);
      expect((await end(executionId)).result).toBe(both[0]?.status === 200 ? 'written 1' : 'APPROVAL_DENIED');
      expect(await written(`both ${round}`)).toBe(both[0]?.status === 200 ? 1 : 0);
    }
  }, 120_000);

  test('one that is denied tells the program the reason, which it may catch', async () => {
    const answer = await run(`try { await ${write('reasoned')}; } catch (error) { return [error.code, error.message]; }`);
    await decide(answer.approval?.id ?? '', { decision: 'deny', reason: 'not on a Friday' });
    expect((await end(answer.executionId)).result).toEqual(['APPROVAL_DENIED', expect.stringContaining('not on a Friday')]);
  }, 60_000);

  test('what is approved for an execution is not asked for again in it, through whichever proxy; in another it is', async () => {
    const calls = Array.from({ length: 6 }, (_, index) => `await ${write('whole', index)};`).join(' ');
    const answer = await run(`${calls} return 'all';`);
    await decide(answer.approval?.id ?? '', { decision: 'approve', scope: 'execution' });
    expect(await end(answer.executionId)).toMatchObject({ status: 'succeeded', result: 'all' });
    expect(await written('whole')).toBe(6);
    const other = await paused('whole again');
    await json('POST', `/executions/${other.executionId}/cancel`);
  }, 60_000);

  test('one whose asking key is revoked while it waits is not made, and the key is let in nowhere', async () => {
    const other = await keyOf('agent');
    const { executionId, approval } = await paused('revoked', 0, other.key);
    expect((await ask({ url: url(1), key: fleet.key }, 'DELETE', `/keys/${other.id}`)).status).toBeLessThan(300);
    await expect.poll(async () => (await json('GET', '/whoami', undefined, other.key, 0)).status, { timeout: 20_000 }).toBe(401);
    await decide(approval.id, { decision: 'approve' });
    const state = async () => (await json<Answer>('GET', `/executions/${executionId}`, undefined, operator.key)).body;
    await expect.poll(async () => (await state()).status, { timeout: 30_000 }).toBe('succeeded');
    expect(await state()).toMatchObject({ result: expect.stringMatching(/^(?:APPROVAL_VOID|UNAUTHENTICATED)$/), effects: 'none' });
    expect(await written('revoked')).toBe(0);
  }, 90_000);

  test('one that nobody decides on in time ends its execution with an outcome of its own', async () => {
    const { executionId, approval } = await paused('late');
    // Nobody waits two minutes for it.
    const sql = `update approvals set expires_at = now() where id = '${approval.id}'`;
    await fleet.postgres.exec(['psql', '-U', 'executor', '-d', 'executor', '-c', sql]);
    const state = async () => (await json<Answer>('GET', `/executions/${executionId}`, undefined, agent.key, 1)).body;
    await expect.poll(async () => (await state()).status, { timeout: 30_000 }).toBe('failed');
    expect(await state()).toMatchObject({ error: { code: 'APPROVAL_EXPIRED' }, effects: 'none' });
    expect(await decide(approval.id, { decision: 'approve' })).toMatchObject({
      status: 409,
      body: { error: { code: 'APPROVAL_DECIDED' } },
    });
    expect(await written('late')).toBe(0);
  }, 60_000);

  test('a webhook that nobody takes is sent again when its receiver is there, signed, and not once more', async () => {
    const { executionId, approval } = await paused('hooked');
    await sleep(500);
    expect(received.filter(({ delivery }) => delivery === approval.id)).toEqual([]);
    receiver = createServer(async (request, response) => {
      const body = Buffer.concat(await request.toArray()).toString();
      const [, seconds, mac] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(request.headers['x-code-executor-signature'])) ?? [];
      const isGenuine = mac === createHmac('sha256', SECRET).update(`${seconds}.${body}`).digest('hex');
      received.push({ delivery: String(request.headers['x-code-executor-delivery']), isGenuine });
      response.end();
    });
    await new Promise<void>((resolve) => receiver?.listen(receiverPort, '127.0.0.1', resolve));
    const own = () => received.filter(({ delivery }) => delivery === approval.id);
    await expect.poll(() => own().length, { timeout: 60_000 }).toBe(1);
    expect(own()).toEqual([{ delivery: approval.id, isGenuine: true }]);
    // Approvals of before that were decided meanwhile are told to nobody.
    expect(new Set(received.map(({ delivery }) => delivery))).toEqual(new Set([approval.id]));
    await json('POST', `/executions/${executionId}/cancel`);
  }, 90_000);

  test('the preview says of any arguments, through any gateway, what is then decided', async () => {
    const rules = [
      { pattern: 'ledger.write', action: 'allow', when: [{ path: 'nonce', glob: 'free *' }] },
      { pattern: 'ledger.write', action: 'block', when: [{ path: 'sequence', range: { min: 100, max: 199 } }] },
    ];
    for (const rule of rules) expect((await json('POST', '/policies', rule, fleet.key)).status).toBe(201);
    await everywhere(async (at) => (await preview({ nonce: 'free x', sequence: 150, slowMs: 0 }, at)).body.action === 'block');
    await everywhere(async (at) => (await preview({ nonce: 'free x', sequence: 1, slowMs: 0 }, at)).body.action === 'allow');
    const cases = ['free one', 'bound one'].flatMap((nonce) => [1, 100, 199, 200].map((sequence) => ({ nonce, sequence, slowMs: 0 })));
    for (const [index, args] of cases.entries()) {
      const at = index % 2;
      const { action } = (await preview(args, 1 - at)).body;
      const made = await json<{ error?: { code: string }; executionId?: string }>(
        'POST',
        '/tools/invoke/ledger/write',
        { args },
        agent.key,
        at,
      );
      const decided =
        made.status === 200
          ? 'allow'
          : made.status === 202
            ? 'require_approval'
            : made.body.error?.code === 'TOOL_BLOCKED'
              ? 'block'
              : made;
      expect(decided, JSON.stringify(args)).toBe(action);
      if (made.body.executionId !== undefined) await json('POST', `/executions/${made.body.executionId}/cancel`);
    }
  }, 120_000);

  test('always writes a policy that every replica heeds', async () => {
    const { executionId, approval } = await paused('always');
    expect((await decide(approval.id, { decision: 'approve', scope: 'always' })).status).toBe(403);
    expect((await decide(approval.id, { decision: 'approve', scope: 'always' }, 1, fleet.key)).status).toBe(200);
    expect((await end(executionId)).status).toBe('succeeded');
    await everywhere(async (at) => (await preview({ nonce: 'other', sequence: 1, slowMs: 0 }, at)).body.action === 'allow');
    for (const at of [0, 1]) expect((await run(`return await ${write('free of it')};`, at)).status).toBe('succeeded');
  }, 90_000);

  test('the record has each decision, is the same through every gateway, can be exported, and its chain holds', async () => {
    const decided = async (at: number) => {
      const { body } = await json<{ items: { details: { decision?: string }; outcome: string }[] }>(
        'GET',
        '/audit?type=approval.decide&limit=100',
        undefined,
        operator.key,
        at,
      );
      return body.items;
    };
    await expect.poll(async () => (await decided(0)).length, { timeout: 20_000 }).toBeGreaterThan(9);
    expect(await decided(1)).toEqual(await decided(0));
    const exported = await ask({ url: url(1), key: operator.key }, 'GET', '/audit/export');
    const lines = exported.text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { id: string; type: string });
    const types = new Set(lines.map(({ type }) => type));
    for (const type of [
      'policy.create',
      'key.create',
      'approval.request',
      'approval.decide',
      'approval.cancel',
      'tool.call',
      'access.refused',
    ])
      expect([...types]).toContain(type);
    expect(new Set(lines.map(({ id }) => id)).size).toBe(lines.length);
    const [first, second] = await Promise.all([0, 1].map((at) => json('GET', '/audit/verify', undefined, operator.key, at)));
    expect(first?.body).toMatchObject({ whole: true });
    expect(second?.body).toMatchObject({ whole: true });
    expect((await json('GET', '/audit', undefined, agent.key)).status).toBe(403);
  }, 60_000);

  test('the page of an approval can be framed by nobody, and acts by no cookie', async () => {
    const { body } = await json<{ items: { id: string }[] }>('GET', '/approvals?limit=1', undefined, operator.key, 1);
    const [{ id } = { id: '' }] = body.items;
    const browser = { accept: 'text/html', cookie: 'session=1', origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' };
    const page = await ask({ url: url(1), key: '' }, 'GET', `/approvals/${id}`, { key: null, headers: { accept: 'text/html' } });
    expect(page.headers).toMatchObject({
      'x-frame-options': 'DENY',
      'content-security-policy': expect.stringMatching(/default-src 'none'.*form-action 'none'.*frame-ancestors 'none'/),
      'referrer-policy': 'no-referrer',
      'cache-control': 'no-store',
    });
    expect(page.headers['set-cookie']).toBeUndefined();
    const forms: [string, string][] = [
      ['application/x-www-form-urlencoded', 'decision=approve'],
      ['text/plain', '{"decision": "approve"}'],
      ['application/json', '{"decision": "approve"}'],
    ];
    for (const [type, raw] of forms) {
      const forged = await ask({ url: url(0), key: '' }, 'POST', `/approvals/${id}`, {
        key: null,
        raw,
        headers: { ...browser, 'content-type': type },
      });
      expect([401, 403, 415], forged.text).toContain(forged.status);
    }
  }, 30_000);
});
