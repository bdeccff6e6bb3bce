import { setTimeout as sleep } from 'node:timers/promises';
import { drive, SIMPLE_TYPESCRIPT } from '../scenarios.ts';
import { percentile } from '../statistics.ts';
import { type CollectedSpan, collectSpans } from './collect-spans.ts';
import { type Fleet, startFleet } from './start-fleet.ts';

const RUNS = 200;
const PAUSE_MS = 20;
/** Spans are sent once a second. */
const SENT_MS = 2_500;

/** Where an execution's time goes, in order and without gaps; medians, so that their sum is only about the whole. */
export type Stages = Readonly<Record<'submit' | 'queue' | 'claim' | 'sandbox' | 'end' | 'whole', number>>;

/** From the services' own traces, in a fleet that is traced: a little slower than one that is not. */
export async function measureStages(directory: string): Promise<Stages> {
  const collector = await collectSpans();
  try {
    const fleet = await startFleet(directory, { environment: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint } });
    try {
      await drive(fleet, SIMPLE_TYPESCRIPT, { clients: 1, seconds: 5, limit: 30, pauseMs: PAUSE_MS });
      await sleep(SENT_MS);
      collector.spans.splice(0);
      await drive(fleet, SIMPLE_TYPESCRIPT, { clients: 1, seconds: 15, limit: RUNS, pauseMs: PAUSE_MS });
      await sleep(SENT_MS);
      return stagesOf(collector.spans, await dispatchTimes(fleet));
    } finally {
      await fleet.stop();
    }
  } finally {
    collector.close();
  }
}

/** When each row was written with its place in the queue: by PostgreSQL's clock, which is this machine's. */
async function dispatchTimes(fleet: Fleet): Promise<ReadonlyMap<string, number>> {
  const lines = await fleet.query('select id, extract(epoch from dispatched_at) * 1000 from executions where dispatched_at is not null');
  return new Map(lines.map((line) => [line.split('|')[0] ?? '', Number(line.split('|')[1])]));
}

function stagesOf(spans: readonly CollectedSpan[], dispatched: ReadonlyMap<string, number>): Stages {
  const figures = [...Map.groupBy(spans, ({ traceId }) => traceId).values()].flatMap((trace) => {
    const named = (name: string) => trace.find((span) => span.name === name);
    const [whole, claim, end] = [named('POST /execute'), named('claim'), named('write end')];
    const writtenMs = dispatched.get(whole?.executionId ?? '');
    if (!whole || !claim || !end || writtenMs === undefined) return [];
    return {
      submit: writtenMs - whole.startMs,
      queue: claim.startMs - writtenMs,
      claim: claim.endMs - claim.startMs,
      sandbox: end.startMs - claim.endMs,
      end: whole.endMs - end.startMs,
      whole: whole.endMs - whole.startMs,
    };
  });
  if (figures.length < RUNS / 4) throw new Error(`Only ${figures.length} executions were traced from end to end`);
  const median = (stage: keyof Stages): number =>
    percentile(
      figures.map((each) => each[stage]),
      0.5,
    );
  return {
    submit: median('submit'),
    queue: median('queue'),
    claim: median('claim'),
    sandbox: median('sandbox'),
    end: median('end'),
    whole: median('whole'),
  };
}
