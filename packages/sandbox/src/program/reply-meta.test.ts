import type { ToolCallReply } from '@code-executor/contracts';
import { describe, expect, test } from 'vitest';
import { runPlainly } from './testing/run-plainly.ts';

const META = { status: 200, links: { next: 'https://api.example/things?page=2' }, rateLimit: { remaining: 3 } };

/** Lists with what their answer says, texts too, and a refusal that says when to come back. */
async function answer({ tool }: { readonly tool: string }): Promise<ToolCallReply> {
  if (tool === 'api.plain') return { ok: true, value: { plain: true } };
  if (tool === 'api.text') return { ok: true, value: 'text', meta: META };
  if (tool === 'api.busy')
    return { ok: false, error: { code: 'TOOL_FAILED', message: 'HTTP 429' }, meta: { status: 429, retryAfterSeconds: 7 } };
  return { ok: true, value: [{ id: 1 }], meta: META };
}

const KNOWN = [META, null, null, null, { status: 429, retryAfterSeconds: 7 }];

describe('what an answer says about itself', () => {
  test.each(['typescript', 'node'] as const)('is reached by the value or error it came with, in %s', async (runtime) => {
    const program = `export const __executionBody = async () => {
      const { call, metaOf } = globalThis[Symbol.for('code-executor')];
      const list = await call('api.list', {});
      const failed = await call('api.busy', {}).catch((error) => error);
      return [metaOf(list), metaOf([...list]), metaOf(await call('api.plain', {})), metaOf(await call('api.text', {})), metaOf(failed)];
    };`;
    const outcome = await runPlainly(runtime, program, { hooks: { onCall: answer } });
    expect(JSON.parse(outcome.resultJson ?? 'null')).toEqual(KNOWN);
  });

  test('is reached by the value or error it came with, in Python', async () => {
    const program = `
from code_executor import call, meta_of, ToolError
listed = call("api.list")
try:
    call("api.busy")
except ToolError as error:
    failed = error
[meta_of(listed), meta_of(list(listed)), meta_of(call("api.plain")), meta_of(call("api.text")), meta_of(failed)]`;
    const outcome = await runPlainly('python', program, { hooks: { onCall: answer } });
    expect(JSON.parse(outcome.resultJson ?? 'null')).toEqual(KNOWN);
  });

  test('does not keep what a Python program has let go of, beyond the newest', async () => {
    const large = 'x'.repeat(3_000_000);
    const program = `
from code_executor import call, meta_of
pages = [call("api.page") for _ in range(4)]
[meta_of(page) is not None for page in pages]`;
    const onCall = async (): Promise<ToolCallReply> => ({ ok: true, value: [large], meta: META });
    const outcome = await runPlainly('python', program, { hooks: { onCall } });
    expect(JSON.parse(outcome.resultJson ?? 'null')).toEqual([false, false, true, true]);
  });
});
