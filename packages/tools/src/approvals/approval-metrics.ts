import { setTimeout as sleep } from 'node:timers/promises';
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { ApprovalEvent } from './approvals.ts';

/** From seconds, where somebody sits before it, to a day. */
const WAIT_BUCKETS_SECONDS = [1, 5, 15, 60, 300, 900, 3_600, 14_400, 86_400];

/** A frozen database answers nothing for long, and a scrape that waited for it would lack everything else, too. */
const COUNT_MS = 1_000;

/** Approvals by what became of them, how long people took, and how many wait; `countPending` is asked for every scrape. */
export function registerApprovalMetrics(registers: Registry[], countPending: () => Promise<number>): (event: ApprovalEvent) => void {
  const events = new Counter({
    name: 'code_executor_approvals_total',
    help: 'Approvals that were requested, and what became of them',
    labelNames: ['event'],
    registers,
  });
  const waits = new Histogram({
    name: 'code_executor_approval_wait_seconds',
    help: 'From the question to the decision of a person',
    labelNames: ['outcome'],
    buckets: WAIT_BUCKETS_SECONDS,
    registers,
  });
  new Gauge({
    name: 'code_executor_approvals_open',
    help: 'Approvals that wait for a person; -1: the database does not answer',
    registers,
    async collect() {
      const answered = new AbortController();
      const late = sleep(COUNT_MS, -1, { signal: answered.signal });
      try {
        this.set(await Promise.race([countPending(), late]).catch(() => -1));
      } finally {
        answered.abort();
        await late.catch(() => undefined);
      }
    },
  });
  return ({ type, waitedMs }) => {
    events.inc({ event: type });
    if (type !== 'requested') waits.observe({ outcome: type }, waitedMs / 1_000);
  };
}
