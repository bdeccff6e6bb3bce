import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { registerApprovalMetrics } from './approval-metrics.ts';

test.each([
  ['refuses', () => Promise.reject(new Error('away'))],
  ['is frozen and answers nothing at all', () => new Promise<number>(() => undefined)],
])('of a database that %s the metrics say so in the time of a scrape', { timeout: 20_000 }, async (_what, countPending) => {
  const registry = new Registry();
  registerApprovalMetrics([registry], countPending);
  expect(await registry.metrics()).toMatch(/^code_executor_approvals_open -1$/m);
});

test('of a database that answers the metrics have the number that waits', async () => {
  const registry = new Registry();
  registerApprovalMetrics([registry], async () => 3);
  expect(await registry.metrics()).toMatch(/^code_executor_approvals_open 3$/m);
});
