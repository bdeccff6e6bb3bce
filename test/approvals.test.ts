import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ask, makeKey } from './support/ask.ts';
import { recorded, recordingServer } from './support/recording-entry.ts';
import { type Service, startService } from './support/start-service.ts';

interface Approval {
  id: string;
  status: string;
  executionId: string;
  callNumber: number;
  tool: string;
  arguments: unknown;
  expiresAt: string;
  url: string;
  selfApproved: boolean;
  reason: string | null;
  principalId: string;
}
interface Answer {
  executionId: string;
  status: string;
  result: unknown;
  output: string;
  executionTime: number;
  error: { code: string; message: string } | null;
  effects: string;
  toolCalls: { tool: string; outcome: string }[];
  approval: { id: string; tool: string; arguments: unknown; expiresAt: string; url: string } | null;
}

const ENVIRONMENT = { EXECUTOR_CONCURRENCY: '2', EXECUTOR_PAUSED_SANDBOXES: '6' };

let directory: string;
let notes: string;
let service: Service;
let agent: string;
let operator: string;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'approvals-'));
  notes = join(directory, 'notes');
  mkdirSync(join(directory, 'data'));
  writeFileSync(notes, '');
  writeFileSync(
    join(directory, 'data', 'mcp-servers.json'),
    JSON.stringify({ mcpServers: { notes: recordingServer(notes, { trust: 'annotations' }) } }),
  );
  service = await startService(join(directory, 'data'), ENVIRONMENT);
  agent = (await makeKey(service, 'agent')).key;
  operator = (await makeKey(service, 'operator')).key;
}, 150_000);

afterAll(async () => {
  await service?.stop();
  rmSync(directory, { recursive: true, force: true });
});

const json = async (method: string, path: string, body?: unknown, key: string = agent): Promise<{ status: number; body: unknown }> => {
  const answer = await ask(service, method, path, { key, body });
  return { status: answer.status, body: answer.json() };
};
const run = async (code: string, more: Record<string, unknown> = {}): Promise<Answer> =>
  (await json('POST', '/execute', { language: 'typescript', code, ...more })).body as Answer;
const undecided = async (executionId: string, decided: ReadonlySet<string>): Promise<Approval[]> => {
  const { items } = (await json('GET', `/approvals?status=pending&executionId=${executionId}`)).body as { items: Approval[] };
  return items.filter(({ id }) => !decided.has(id));
};
const stateOf = async (id: string): Promise<Answer> => (await json('GET', `/executions/${id}`)).body as Answer;
const decide = (id: string, body: unknown, key: string = operator) => json('POST', `/approvals/${id}`, body, key);
const resume = async (id: string, body: unknown = {}, key: string = agent): Promise<Answer> =>
  (await json('POST', `/executions/${id}/resume`, body, key)).body as Answer;
const approvalOf = ({ approval }: Answer): string => approval?.id ?? 'none';

describe('a call that needs a decision', () => {
  test('pauses the execution, is shown to people, and goes on in the same sandbox when it is approved', async () => {
    const paused = await run(`
      console.log('before');
      const kept = Math.random();
      globalThis.kept = kept;
      const answer = await tools.notes.note({ text: 'approved' });
      console.log('after', globalThis.kept === kept);
      return answer;`);
    expect(paused).toMatchObject({
      status: 'paused',
      error: null,
      output: 'before\n',
      approval: { tool: 'notes.note', arguments: { text: 'approved' } },
    });
    expect(paused.approval?.url).toBe(`${service.url}/approvals/${paused.approval?.id}`);
    expect(await stateOf(paused.executionId)).toMatchObject({ status: 'paused', approval: paused.approval });
    expect(recorded(notes)).not.toContain('note approved');

    const listed = (await json('GET', '/approvals?status=pending', undefined, operator)).body as { items: Approval[]; total: number };
    expect(listed).toMatchObject({ total: 1, items: [{ id: approvalOf(paused), executionId: paused.executionId, callNumber: 1 }] });
    const { status, body } = await decide(approvalOf(paused), { decision: 'approve' });
    expect([status, body]).toMatchObject([200, { status: 'approved', selfApproved: false }]);

    const ended = await resume(paused.executionId);
    expect(ended).toMatchObject({ status: 'succeeded', result: 'noted approved', output: 'before\nafter true\n', effects: 'some' });
    expect(recorded(notes).filter((line) => line === 'note approved')).toHaveLength(1);
    // The same decision again answers the same, another one does not; neither calls anything.
    expect((await decide(approvalOf(paused), { decision: 'approve' })).body).toMatchObject({ status: 'consumed' });
    expect(await decide(approvalOf(paused), { decision: 'deny' })).toMatchObject({
      status: 409,
      body: { error: { code: 'APPROVAL_DECIDED' } },
    });
    expect(await resume(paused.executionId)).toEqual(ended);
    expect(recorded(notes).filter((line) => line === 'note approved')).toHaveLength(1);
  });

  test('stands still: neither its clock nor its processes move while a person thinks', async () => {
    const paused = await run(
      `const at = Date.now(); let ticks = 0; const timer = setInterval(() => { ticks += 1; }, 5);
       await tools.notes.note({ text: 'still' }); clearInterval(timer); return { ticks, ms: Date.now() - at };`,
      { timeoutMs: 1_500 },
    );
    await sleep(2_000);
    expect((await stateOf(paused.executionId)).status).toBe('paused');
    await decide(approvalOf(paused), { decision: 'approve' });
    const { status, result, executionTime } = await resume(paused.executionId);
    expect(status).toBe('succeeded');
    expect((result as { ms: number }).ms).toBeGreaterThanOrEqual(2_000);
    expect((result as { ticks: number }).ticks).toBeLessThan(300);
    expect(executionTime).toBeLessThan(1_500);
  });

  test('is judged by its arguments before anybody is asked', async () => {
    const answer = await run(`try { await tools.notes.note({ txt: 'x' }); } catch (error) { return error.code; }`);
    expect(answer).toMatchObject({ status: 'succeeded', result: 'INVALID_ARGUMENTS' });
  });

  test('that is denied fails with the reason, which the program may catch', async () => {
    const paused = await run(
      `try { await tools.notes.note({ text: 'denied' }); } catch (error) { return [error.name, error.code, error.message]; }`,
    );
    await decide(approvalOf(paused), { decision: 'deny', reason: 'not\u202e today\u0007' });
    const { result, effects } = await resume(paused.executionId);
    expect(result).toEqual(['ToolError', 'APPROVAL_DENIED', expect.stringContaining('not\\u{202e} today\\u{7}')]);
    expect(effects).toBe('none');
    expect(recorded(notes)).not.toContain('note denied');
  });

  test('of several at once each has its own decision, and the execution goes on when none is left', async () => {
    const paused = await run(`
      const all = ['one', 'two', 'three'].map((text) => tools.notes.note({ text }).catch((error) => error.code));
      const count = tools.notes.count_notes({ like: 'none' });
      return [await count, ...(await Promise.all(all))];`);
    // How many of the three were sent before the sandbox stood still is its affair: what is sent later is asked for later.
    const decided = new Set<string>();
    while (decided.size < 3) {
      await expect.poll(() => undecided(paused.executionId, decided), { timeout: 10_000 }).not.toHaveLength(0);
      for (const approval of (await undecided(paused.executionId, decided)).reverse()) {
        expect((await stateOf(paused.executionId)).status).toBe('paused');
        const isSecond = JSON.stringify(approval.arguments).includes('two');
        await decide(approval.id, { decision: isSecond ? 'deny' : 'approve' });
        decided.add(approval.id);
      }
    }
    expect((await resume(paused.executionId)).result).toEqual([{ count: 0 }, 'noted one', 'APPROVAL_DENIED', 'noted three']);
    expect(recorded(notes)).toContain('note one');
    expect(recorded(notes)).not.toContain('note two');
  });

  test('that was approved for the execution is not asked for again in it, and in another it is', async () => {
    const code = `const all = []; for (const text of ['a1', 'a2', 'a3']) all.push(await tools.notes.note({ text })); return all;`;
    const paused = await run(code);
    await decide(approvalOf(paused), { decision: 'approve', scope: 'execution' });
    expect((await resume(paused.executionId)).result).toEqual(['noted a1', 'noted a2', 'noted a3']);
    const again = await run(code);
    expect(again.status).toBe('paused');
    await json('POST', `/executions/${again.executionId}/cancel`);
  });

  test('of a cancelled execution is never made, and its approval is over', async () => {
    const paused = await run(`await tools.notes.note({ text: 'cancelled' });`);
    expect((await json('POST', `/executions/${paused.executionId}/cancel`)).body).toMatchObject({ status: 'cancelled', effects: 'none' });
    const approval = async () => (await json('GET', `/approvals/${approvalOf(paused)}`)).body as Approval;
    await expect.poll(async () => (await approval()).status, { timeout: 10_000 }).toBe('cancelled');
    expect(await decide(approvalOf(paused), { decision: 'approve' })).toMatchObject({ status: 409 });
    expect(recorded(notes)).not.toContain('note cancelled');
  });

  test('is not made for a key that was revoked meanwhile', async () => {
    const { key, id } = await makeKey(service, 'agent');
    const paused = (
      await json('POST', '/execute', { language: 'typescript', code: `return await tools.notes.note({ text: 'revoked' });` }, key)
    ).body as Answer;
    expect((await ask(service, 'DELETE', `/keys/${id}`, {})).status).toBeLessThan(300);
    await decide(approvalOf(paused), { decision: 'approve' });
    const end = async () => (await json('GET', `/executions/${paused.executionId}`, undefined, operator)).body as Answer;
    await expect.poll(async () => (await end()).status, { timeout: 10_000 }).toBe('failed');
    expect((await end()).error?.message).toContain('revoked');
    expect(recorded(notes)).not.toContain('note revoked');
  });

  test('blocked by a policy after it was approved is not made', async () => {
    const paused = await run(`return await tools.notes.note({ text: 'blocked' });`);
    const policy = (await json('POST', '/policies', { pattern: 'notes.note', action: 'block' }, service.key)).body as { id: string };
    try {
      await decide(approvalOf(paused), { decision: 'approve' });
      expect(await resume(paused.executionId)).toMatchObject({ status: 'failed', toolCalls: [{ outcome: 'TOOL_BLOCKED' }] });
      expect(recorded(notes)).not.toContain('note blocked');
    } finally {
      await ask(service, 'DELETE', `/policies/${policy.id}`);
    }
  });

  test('without code becomes an execution that answers at once where to decide', async () => {
    const { status, body } = await json('POST', '/tools/invoke/notes/note', { args: { text: 'without code' } });
    const { executionId, approval } = body as Answer;
    expect([status, body]).toMatchObject([
      202,
      { status: 'execution_paused', approval: { tool: 'notes.note', arguments: { text: 'without code' } } },
    ]);
    expect(await resume(executionId, { decision: 'approve', approvalId: approval?.id }, operator)).toMatchObject({
      status: 'succeeded',
      result: { value: 'noted without code' },
    });
    expect(await json('POST', '/tools/invoke/notes/note', { args: { txt: 1 } })).toMatchObject({
      body: { error: { code: 'INVALID_ARGUMENTS' } },
    });
  });
});

describe('who may decide', () => {
  test('an operator or an admin, not an agent, and not whoever asked, but for an admin', async () => {
    const paused = await run(`return await tools.notes.note({ text: 'who' });`);
    expect(await decide(approvalOf(paused), { decision: 'approve' }, agent)).toMatchObject({ status: 403 });
    expect(await resume(paused.executionId, { decision: 'approve' })).toMatchObject({ error: { code: 'FORBIDDEN' } });
    expect(await decide(approvalOf(paused), { decision: 'approve', scope: 'always' })).toMatchObject({ status: 403 });
    const other = (await makeKey(service, 'agent')).key;
    expect(await json('GET', `/approvals/${approvalOf(paused)}`, undefined, other)).toMatchObject({ status: 404 });
    expect(await json('GET', '/approvals', undefined, other)).toMatchObject({ body: { items: [], total: 0 } });
    await decide(approvalOf(paused), { decision: 'deny' });

    const byOperator = (
      await json('POST', '/execute', { language: 'typescript', code: `await tools.notes.note({ text: 'self' });` }, operator)
    ).body as Answer;
    expect(await decide(approvalOf(byOperator), { decision: 'approve' })).toMatchObject({
      status: 403,
      body: { error: { code: 'FORBIDDEN' } },
    });
    await decide(approvalOf(byOperator), { decision: 'deny' });

    const byAdmin = (
      await json('POST', '/execute', { language: 'typescript', code: `return await tools.notes.note({ text: 'self' });` }, service.key)
    ).body as Answer;
    expect((await decide(approvalOf(byAdmin), { decision: 'approve' }, service.key)).body).toMatchObject({ selfApproved: true });
    expect((await json('POST', `/executions/${byAdmin.executionId}/resume`, {}, service.key)).body).toMatchObject({ result: 'noted self' });
  });

  test('an execution that never waited cannot be resumed', async () => {
    const ended = await run('return 1;');
    expect(await json('POST', `/executions/${ended.executionId}/resume`)).toMatchObject({
      status: 409,
      body: { error: { code: 'EXECUTION_NOT_PAUSED' } },
    });
  });

  test('always writes the narrowest policy, and the tool is asked for no more', async () => {
    const paused = await run(`return await tools.notes.slow_note({ text: 'always', ms: 0 });`);
    const shown = (await json('GET', `/approvals/${approvalOf(paused)}`, undefined, operator)).body;
    expect(shown).toMatchObject({ always: { pattern: 'notes.slow_note', action: 'allow' } });
    await decide(approvalOf(paused), { decision: 'approve', scope: 'always' }, service.key);
    expect((await resume(paused.executionId)).status).toBe('succeeded');
    expect((await run(`return await tools.notes.slow_note({ text: 'again', ms: 0 });`)).status).toBe('succeeded');
    const other = await run(`return await tools.notes.note({ text: 'other' });`);
    expect(other.status).toBe('paused');
    await json('POST', `/executions/${other.executionId}/cancel`);
  });
});

describe('room for those that wait', () => {
  test('paused executions hold no place to run, and past the sandboxes kept for them one is let go and replayed, or ends and says so', async () => {
    const waiting: Answer[] = [];
    for (let index = 0; index < 6; index += 1) waiting.push(await run(`return await tools.notes.note({ text: 'w${index}' });`));
    expect(waiting.map(({ status }) => status)).toEqual(Array.from({ length: 6 }, () => 'paused'));
    expect((await run('return 7;')).result).toBe(7);
    const node = await run(`return await tools.notes.note({ text: 'over' });`, { language: 'node' });
    expect(node).toMatchObject({ status: 'failed', error: { code: 'PAUSE_LIMIT' }, effects: 'none' });
    const letGo = await run(`console.log('once'); return await tools.notes.note({ text: 'over' });`);
    expect(letGo).toMatchObject({ status: 'paused', output: 'once\n' });
    await decide(approvalOf(letGo), { decision: 'approve' });
    expect(await resume(letGo.executionId)).toMatchObject({ status: 'succeeded', result: 'noted over', output: 'once\n' });
    expect(recorded(notes).filter((line) => line === 'note over')).toHaveLength(1);
    for (const each of waiting) await json('POST', `/executions/${each.executionId}/cancel`);
    expect((await run('return 8;')).result).toBe(8);
  });
});

test('a browser gets a page without data, under a policy that lets nothing else run', async () => {
  const paused = await run(`await tools.notes.note({ text: 'SECRET-TEXT' });`);
  const page = await ask(service, 'GET', `/approvals/${approvalOf(paused)}`, { key: null, headers: { accept: 'text/html,*/*' } });
  expect([page.status, page.headers['content-type']]).toEqual([200, 'text/html; charset=utf-8']);
  expect(page.headers['content-security-policy']).toMatch(/^default-src 'none'; script-src 'sha256-/);
  expect(page.text).not.toContain('SECRET-TEXT');
  expect((await ask(service, 'GET', `/approvals/${approvalOf(paused)}`, { key: null })).status).toBe(401);
  await json('POST', `/executions/${paused.executionId}/cancel`);
});

describe('after kill -9 of the whole service', () => {
  const restart = async (signal: 'SIGKILL' | 'SIGTERM' = 'SIGKILL'): Promise<void> => {
    await service.stop(signal);
    service = await startService(join(directory, 'data'), ENVIRONMENT);
  };

  test('an execution that was paused goes on when it is approved, and each write is made once', async () => {
    const code = `
      import { randomUUID } from 'node:crypto';
      const seen = [Date.now(), Math.random(), randomUUID(), crypto.getRandomValues(new Uint8Array(4)).join(), performance.now()];
      console.log('first', seen.join(' '));
      await tools.notes.slow_note({ text: 'replayed ' + seen[2], ms: 0 });
      const { count } = await tools.notes.count_notes({ like: 'end replayed' });
      console.log('counted', count, new Date().getTime() >= seen[0]);
      const answer = await tools.notes.note({ text: 'gated ' + seen.join(' ') });
      console.log('last');
      return [answer, seen];`;
    await json('POST', '/policies', { pattern: 'notes.slow_note', action: 'allow' }, service.key);
    const paused = await run(code);
    expect(paused).toMatchObject({ status: 'paused', output: expect.stringMatching(/^first .*\ncounted \d+ true\n$/) });
    await restart();

    const again = await stateOf(paused.executionId);
    expect(again).toMatchObject({
      status: 'paused',
      output: paused.output,
      approval: { id: approvalOf(paused), arguments: paused.approval?.arguments },
    });
    await decide(approvalOf(paused), { decision: 'approve' });
    const ended = await resume(paused.executionId);
    const [answer, seen] = ended.result as [string, unknown[]];
    expect(ended).toMatchObject({ status: 'succeeded', output: `${paused.output}last\n`, effects: 'some' });
    expect(answer).toBe(`noted gated ${seen.join(' ')}`);
    expect(recorded(notes).filter((line) => line.startsWith('note gated'))).toEqual([`note gated ${seen.join(' ')}`]);
    expect(recorded(notes).filter((line) => line === `end replayed ${seen[2]}`)).toHaveLength(1);
    expect(ended.toolCalls.map(({ tool, outcome }) => `${tool} ${outcome}`)).toEqual([
      'notes.slow_note ok',
      'notes.count_notes ok',
      'notes.note ok',
    ]);

    const events = (await ask(service, 'GET', `/executions/${paused.executionId}/events`, { key: agent })).text;
    expect(events.match(/^event: output\n.*first/gm)).toHaveLength(1);
    const ids = [...events.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id));
    expect(ids).toEqual(ids.map((_, index) => index + 1));
  });

  test('what was decided while nothing ran is carried out at the next start, and what was denied is not called', async () => {
    const denied = await run(`try { await tools.notes.note({ text: 'late deny' }); } catch (error) { return error.code; }`);
    const waits = await run(`return await tools.notes.note({ text: 'still waits' });`);
    await decide(approvalOf(denied), { decision: 'deny' });
    await resume(denied.executionId);
    await restart('SIGTERM');
    expect(await stateOf(denied.executionId)).toMatchObject({ status: 'succeeded', result: 'APPROVAL_DENIED' });
    expect(await stateOf(waits.executionId)).toMatchObject({ status: 'paused', approval: { id: approvalOf(waits) } });
    expect((await json('POST', `/executions/${waits.executionId}/cancel`)).body).toMatchObject({ status: 'cancelled', effects: 'none' });
  });

  test('a Python program goes on in the same way', async () => {
    const code = `
import random, time, uuid, os
from datetime import datetime, date
seen = [time.time(), random.random(), str(uuid.uuid4()), os.urandom(4).hex(), datetime.now().isoformat(), time.monotonic()]
print("first", seen, isinstance(datetime(2020, 1, 1) - datetime(2019, 1, 1), object), isinstance(datetime.now(), date))
tools.notes.slow_note(text="python " + seen[2], ms=0)
answer = tools.notes.note(text="gated " + repr(seen))
print("last", time.monotonic() >= seen[5])
[answer, seen]`;
    const paused = (await json('POST', '/execute', { language: 'python', code })).body as Answer;
    expect(paused).toMatchObject({ status: 'paused', output: expect.stringMatching(/^first .* True True\n$/) });
    await restart();
    await decide(approvalOf(paused), { decision: 'approve' });
    const ended = await resume(paused.executionId);
    expect(ended).toMatchObject({ status: 'succeeded', output: `${paused.output}last True\n` });
    const [, seen] = ended.result as [string, unknown[]];
    expect(recorded(notes).filter((line) => line === `end python ${seen[2]}`)).toHaveLength(1);
    expect(recorded(notes).filter((line) => line.startsWith('note gated [') && line.includes(String(seen[2])))).toHaveLength(1);
  });

  test('a program that does something else the second time is ended, before it does it', async () => {
    const code = `
      import { readdirSync, statSync } from 'node:fs';
      await tools.notes.slow_note({ text: 'at ' + statSync('/workspace').mtimeMs, ms: 0 });
      return await tools.notes.note({ text: 'diverged' });`;
    const paused = await run(code);
    await restart();
    await decide(approvalOf(paused), { decision: 'approve' });
    const ended = await resume(paused.executionId);
    expect(ended).toMatchObject({ status: 'failed', error: { code: 'REPLAY_DIVERGED' } });
    expect(recorded(notes)).not.toContain('note diverged');
    expect(recorded(notes).filter((line) => line.startsWith('end at '))).toHaveLength(1);
  });

  test('a program that cannot be repeated ends, and says truthfully what it did', async () => {
    const paused = await run(`
      const { execFileSync } = await import('node:child_process');
      try { execFileSync('/bin/true'); } catch {}
      await tools.notes.slow_note({ text: 'by a process', ms: 0 });
      return await tools.notes.note({ text: 'never' });`);
    const python = (
      await json('POST', '/execute', {
        language: 'python',
        code: `import threading\nthread = threading.Thread(target=print)\nthread.start()\nthread.join()\ntools.notes.note(text='never')`,
      })
    ).body as Answer;
    expect([paused.status, python.status]).toEqual(['paused', 'paused']);
    await restart();
    expect(await stateOf(paused.executionId)).toMatchObject({ status: 'failed', error: { code: 'WORKER_LOST' }, effects: 'some' });
    expect(await stateOf(python.executionId)).toMatchObject({ status: 'failed', error: { code: 'WORKER_LOST' }, effects: 'none' });
    const approval = async () => (await json('GET', `/approvals/${approvalOf(paused)}`, undefined, operator)).body as Approval;
    await expect.poll(async () => (await approval()).status, { timeout: 10_000 }).toBe('cancelled');
    expect(recorded(notes)).not.toContain('note never');
  });
});
