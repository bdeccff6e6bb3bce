import { type Logger, messageOf } from '@code-executor/platform';
import type { Redis } from 'ioredis';
import { z } from 'zod';
import type { WorkerReport } from '../ledger/port.ts';

const REFRESH_MS = 1_000;
const KEY_PATTERN = 'executor:worker:*';
const SCAN_COUNT = 1_000;
/** Far above any fleet, and an integer of PostgreSQL's, whatever workers report. */
const SHARE_MAXIMUM = 1_000_000;
const count = z.int().min(0).max(1_000_000_000);

const reportSchema: z.ZodType<WorkerReport> = z.object({
  workerId: z.string().max(200),
  slots: count,
  running: count,
  draining: z.boolean(),
  pool: z.object({ hits: count, misses: count, warm: z.record(z.string().max(50), count) }),
});

export interface LiveWorkers {
  /** As reported within the last ten seconds. */
  reports(): readonly WorkerReport[];
  /** Executions of one workspace that may be in flight: half of all slots, so that none holds all of them. */
  share(): number;
  stop(): void;
}

/** The workers' reports, which mcp-proxy keeps in Redis with an expiry, read once a second. */
export function watchWorkers(redis: Redis, log: Logger): LiveWorkers {
  let reports: readonly WorkerReport[] = [];
  let refreshing = false;
  const timer = setInterval(refresh, REFRESH_MS);
  redis.on('ready', refresh);
  refresh();

  return {
    reports: () => reports,
    share: () => shareOf(reports),
    stop() {
      clearInterval(timer);
      redis.off('ready', refresh);
    },
  };

  function refresh(): void {
    if (refreshing || redis.status !== 'ready') return;
    refreshing = true;
    readReports(redis).then(
      (read) => {
        reports = read;
        refreshing = false;
      },
      (error: unknown) => {
        refreshing = false;
        log.debug({ reason: messageOf(error) }, "The workers' reports cannot be read; the last ones count");
      },
    );
  }
}

/** Of workers that still take executions. */
export function shareOf(reports: readonly WorkerReport[]): number {
  const slots = reports.reduce((sum, report) => sum + (report.draining ? 0 : report.slots), 0);
  return Math.min(Math.max(1, Math.floor(slots / 2)), SHARE_MAXIMUM);
}

/** Throws what ioredis throws while Redis is away. What does not read as a report is left out. */
export async function readReports(redis: Redis): Promise<WorkerReport[]> {
  const keys: string[] = [];
  let cursor = '0';
  do {
    const [next, found] = await redis.scan(cursor, 'MATCH', KEY_PATTERN, 'COUNT', SCAN_COUNT);
    keys.push(...found);
    cursor = next;
  } while (cursor !== '0');
  if (keys.length === 0) return [];
  const texts = await redis.mget(...new Set(keys));
  return texts.flatMap((text) => {
    const report = text === null ? null : parseReport(text);
    return report === null ? [] : [report];
  });
}

function parseReport(text: string): WorkerReport | null {
  try {
    return reportSchema.safeParse(JSON.parse(text)).data ?? null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
