import { collectDefaultMetrics, Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { EVENT_LOOP_PRECISION_MS, metricsText } from './process-metrics.ts';

test('what is not known yet is written as Prometheus writes it', async () => {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: EVENT_LOOP_PRECISION_MS });
  await metricsText(registry);
  // At once after a look: the loop was not looked at since.
  const text = await metricsText(registry);
  expect(text).toMatch(/^nodejs_eventloop_lag_mean_seconds NaN$/m);
  for (const line of text.split('\n').filter((each) => each !== '' && !each.startsWith('#')))
    expect(line).toMatch(/ (?:-?[\d.e+-]+|[+-]Inf|NaN)$/);
});
