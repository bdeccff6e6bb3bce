import { setTimeout as sleep } from 'node:timers/promises';
import type { ExecutionGrant, ToolPort } from '../port.ts';

/**
 * The tool side for tests, by the tool's name: `read` changes nothing, `write` has effects, `hang` waits until it is
 * aborted and does not know then, `fail` answers an error, `lapsed` is refused for a lapsed claim the first time.
 */
export function createRecordingTools(): ToolPort & { readonly calls: string[]; readonly grants: ExecutionGrant[] } {
  const calls: string[] = [];
  const grants: ExecutionGrant[] = [];
  return {
    calls,
    grants,
    async callTool(grant, { tool }, signal) {
      calls.push(tool);
      grants.push(grant);
      if (tool === 'hang') {
        await sleep(60_000, undefined, { signal }).catch(() => undefined);
        return { reply: { ok: false, error: { code: 'CALL_ABORTED', message: 'aborted' } }, effects: 'unknown' };
      }
      if (tool === 'lapsed' && calls.filter((name) => name === tool).length === 1)
        return { reply: { ok: false, error: { code: 'STALE_CLAIM', message: 'lapsed' } }, effects: 'none' };
      if (tool === 'fail') return { reply: { ok: false, error: { code: 'TOOL_FAILED', message: 'no' } }, effects: 'none' };
      return { reply: { ok: true, value: tool }, effects: tool === 'write' ? 'some' : 'none' };
    },
    discover: async () => ({ ok: true, value: [] }),
    snapshotDir: async () => '/nonexistent',
  };
}
