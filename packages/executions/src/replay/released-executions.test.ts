import { expect, test, vi } from 'vitest';
import { testLog } from '../testing/open-test-executions.ts';
import { createReleasedExecutions } from './released-executions.ts';

test('an execution whose decision came while the database took no writes goes on once it does, and so do the others', async () => {
  const tried: string[] = [];
  const queued: string[] = [];
  const released = createReleasedExecutions({
    decidedAmong: async (ids) => ids.filter((id) => id !== 'apr_open'),
    async queueAgain(executionId) {
      tried.push(executionId);
      if (tried.length <= 2) throw new Error('no space left on device');
      queued.push(executionId);
    },
    log: testLog,
  });
  try {
    released.add('exe_one', ['apr_one']);
    released.add('exe_two', ['apr_two']);
    released.add('exe_waits', ['apr_open']);
    await vi.waitFor(() => expect(queued.toSorted()).toEqual(['exe_one', 'exe_two']), { timeout: 20_000 });
    expect([released.remove('exe_one'), released.remove('exe_waits')]).toEqual([false, true]);
  } finally {
    await released.close();
  }
});
