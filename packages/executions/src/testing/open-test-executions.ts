import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogger, type Database, openDatabase } from '@code-executor/platform';
import { createExecutions, type ExecutionsService } from '../create-executions.ts';
import { createInProcessQueue } from '../queue/in-process-queue.ts';
import type { EffectsOf, SendAhead } from '../run/dependencies.ts';
import { executionMigrations } from '../store/migrations.ts';
import { createRecordingTools } from './recording-tools.ts';
import { createShellRuntime, type ShellRuntime } from './shell-runtime.ts';

export const testLog = createLogger({ level: 'silent', service: 'test' });

/** A database of its own in the temporary directory; `remove` deletes it. */
export async function openTestDatabase(): Promise<{ db: Database; directory: string; remove(): Promise<void> }> {
  const directory = await mkdtemp(join(tmpdir(), 'code-executor-executions-'));
  const db = await openDatabase({ directory: join(directory, 'db'), log: testLog });
  await db.migrate('executions', executionMigrations);
  return {
    db,
    directory,
    async remove() {
      await db.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

export interface TestExecutions {
  readonly executions: ExecutionsService;
  readonly tools: ReturnType<typeof createRecordingTools>;
  readonly runtime: ShellRuntime;
}

export function createTestExecutions(
  db: Database,
  options: {
    concurrency?: number;
    maximumDepth?: number;
    effectsOf?: EffectsOf;
    now?: () => number;
    runtime?: Partial<ShellRuntime>;
    sendAhead?: SendAhead;
  } = {},
): TestExecutions {
  const tools = createRecordingTools();
  const runtime = { ...createShellRuntime(), ...options.runtime };
  const executions = createExecutions({
    db,
    log: testLog,
    queue: createInProcessQueue({ maximumDepth: options.maximumDepth ?? 1_000 }),
    tools,
    preparer: runtime.preparer,
    pool: runtime.pool,
    runProgram: runtime.runProgram,
    concurrency: options.concurrency ?? 4,
    effectsOf: options.effectsOf,
    sendAhead: options.sendAhead,
    now: options.now,
  });
  return { executions, tools, runtime };
}
