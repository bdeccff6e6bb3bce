import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { bodyOf, SIMPLE_TYPESCRIPT } from '../scenarios.ts';
import { percentile } from '../statistics.ts';
import type { Client } from './http-client.ts';
import type { Fleet, Tenant } from './start-fleet.ts';

const WAITING = 10_000;
const SLEEPING = 64;
/** Half of one worker's slots. */
const LEAST_ASLEEP = 8;
const SLEEP_MS = 20_000;
const ROUNDS = 120;
const PAUSE_MS = 20;

export interface Fairness {
  readonly idle: readonly number[];
  /** While another workspace has ten thousand executions waiting. */
  readonly besideQueue: readonly number[];
  /** While another one has sixty-four programs that sleep, as many of them at once as its share lets. */
  readonly besideSleepers: readonly number[];
}

/** What a workspace that asks for one thing at a time notices of another that asks for all at once. The fleet is of no use afterwards. */
export async function measureFairness(fleet: Fleet): Promise<Fairness> {
  const quiet = await fleet.workspace('quiet');
  await asked(quiet, 30);
  const idle = await asked(quiet, ROUNDS);
  const sleepers = await fleet.workspace('sleepers');
  const body = { language: 'typescript', code: `await new Promise((done) => setTimeout(done, ${SLEEP_MS}))`, wait: false };
  await Promise.all(Array.from({ length: SLEEPING }, () => sleepers.post('/execute', body)));
  await sleep(2_000);
  const [asleep = '0'] = await fleet.query(`select count(*) from executions where workspace_id = '${sleepers.id}' and status = 'running'`);
  if (Number(asleep) < LEAST_ASLEEP) throw new Error(`Only ${asleep} programs sleep`);
  const besideSleepers = await asked(quiet, ROUNDS);
  await fleet.query(`update executions set ended_at = now(), status = 'cancelled' where workspace_id = '${sleepers.id}'`);
  await sleep(2_000);
  const noisy = await fleet.workspace('noisy');
  await fleet.query(queueStatement(noisy));
  await sleep(1_000);
  const besideQueue = await asked(quiet, ROUNDS);
  const [failed = '0'] = await fleet.query(
    `select count(*) from executions where workspace_id in ('${noisy.id}', '${sleepers.id}') and status = 'failed'`,
  );
  if (Number(failed) > 0) throw new Error(`${failed} executions of the other workspaces failed: they were no load`);
  const [left = '0'] = await fleet.query(`select count(*) from executions where workspace_id = '${noisy.id}' and ended_at is null`);
  if (Number(left) === 0) throw new Error('Nothing waited any more when the quiet workspace was done');
  return { idle, besideQueue, besideSleepers };
}

async function asked(client: Client, rounds: number): Promise<number[]> {
  const durations: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const body = bodyOf(SIMPLE_TYPESCRIPT);
    const before = performance.now();
    const answer = await client.post('/execute', body);
    durations.push(performance.now() - before);
    const { result } = answer.body as { result?: unknown };
    if (answer.status !== 200 || result !== SIMPLE_TYPESCRIPT.expected) throw new Error(JSON.stringify(answer.body).slice(0, 500));
    await sleep(PAUSE_MS);
  }
  return durations;
}

export const p95 = (durationsMs: readonly number[]): number => percentile(durationsMs, 0.95);

/** As ten thousand requests would leave them, without the minutes that these take. */
const queueStatement = ({ id }: Tenant): string => `
  insert into executions (id, workspace_id, principal_id, request_id, status, token, language, code, args_json, timeout_ms, typecheck, created_at)
  select 'exe_' || lpad(n::text, 26, '0'), '${id}', 'key_bench_noisy', 'req_bench', 'queued', 0, 'typescript', 'return ' || n, '{}',
    30000, false, now()
  from generate_series(1, ${WAITING}) n`;
