import { Counter, Gauge, type Registry } from 'prom-client';

interface PoolCounts {
  readonly hits: number;
  readonly misses: number;
  readonly warm: Readonly<Record<string, number>>;
}

/** `stats` is asked with every scrape. */
export function registerPoolMetrics(registers: Registry[], stats: () => PoolCounts): void {
  new Counter({
    name: 'code_executor_pool_claims_total',
    help: 'Sandboxes taken from the pool (hit) and booted on demand (miss)',
    labelNames: ['outcome'] as const,
    registers,
    collect() {
      const { hits, misses } = stats();
      this.reset();
      this.inc({ outcome: 'hit' }, hits);
      this.inc({ outcome: 'miss' }, misses);
    },
  });
  new Gauge({
    name: 'code_executor_pool_warm',
    help: 'Sandboxes that are booted and wait',
    labelNames: ['runtime'] as const,
    registers,
    collect() {
      for (const [runtime, count] of Object.entries(stats().warm)) this.set({ runtime }, count);
    },
  });
}
