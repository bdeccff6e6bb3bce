import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Principal } from '@code-executor/contracts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTestExecutions, openTestDatabase } from '../testing/open-test-executions.ts';

const alice: Principal = { id: 'key_alice', workspaceId: 'wsp_default', role: 'agent' };
const never = new AbortController().signal;

let database: Awaited<ReturnType<typeof openTestDatabase>>;
let directory: string;

beforeAll(async () => {
  database = await openTestDatabase();
  directory = await mkdtemp(join(tmpdir(), 'head-starts-'));
});

afterAll(async () => {
  await database.remove();
  await rm(directory, { recursive: true, force: true });
});

async function withExecutions(
  act: (target: ReturnType<typeof createTestExecutions> & { readonly sent: string[] }) => Promise<void>,
): Promise<void> {
  const sent: string[] = [];
  const target = createTestExecutions(database.db, { sendAhead: (_, { code }) => void sent.push(code) });
  await target.executions.start();
  try {
    await act({ ...target, sent });
  } finally {
    await target.executions.close({ graceMs: 0 });
  }
}

describe('a head start', () => {
  test('sends each program once, into the sandbox that runs it', async () => {
    await withExecutions(async ({ executions, runtime, sent }) => {
      const request = { code: 'echo "result 1" >&3', language: 'typescript' as const };
      const { executionId } = await executions.submit(alice, request, { requestId: 'req_test' });
      expect(await executions.wait(alice, executionId, never)).toMatchObject({ status: 'succeeded', resultJson: '1' });
      expect(sent).toEqual([request.code]);
      expect(runtime.counts).toEqual({ claimed: 1, killed: 1 });
    });
  });

  test('of a request that turns out to be answered already runs nothing and leaves no sandbox', async () => {
    await withExecutions(async ({ executions, runtime, sent }) => {
      const file = join(directory, 'ran');
      const request = { code: `echo ran >> ${file}`, language: 'typescript' as const };
      const answers = await Promise.all(
        [1, 2, 3].map(() => executions.submit(alice, request, { requestId: 'req_test', idempotencyKey: 'once' })),
      );
      expect(new Set(answers.map(({ executionId }) => executionId)).size).toBe(1);
      await executions.wait(alice, answers[0]?.executionId ?? '', never);
      expect(await readFile(file, 'utf8')).toBe('ran\n');
      await expect.poll(() => runtime.counts).toEqual({ claimed: sent.length, killed: sent.length });
    });
  });

  test('is not given to a program that is none, and its failure is told', async () => {
    await withExecutions(async ({ executions, runtime, sent }) => {
      const { executionId } = await executions.submit(alice, { code: '#!broken', language: 'typescript' }, { requestId: 'req_test' });
      expect(await executions.wait(alice, executionId, never)).toMatchObject({ status: 'failed', error: { code: 'SYNTAX_ERROR' } });
      expect(sent).toEqual([]);
      expect(runtime.counts.claimed).toBe(0);
    });
  });
});
