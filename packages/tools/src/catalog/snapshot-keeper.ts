import type { ToolDefinition } from '@code-executor/contracts';
import { messageOf } from '@code-executor/platform';
import type { WrapperStore } from '@code-executor/wrappers';
import type { ServerLog } from '../sources/mcp/mcp-server.ts';

/** Keeps the newest complete wrapper snapshot. Changes that come while one is written are answered by one more. */
export interface SnapshotKeeper {
  /** Directory of the newest complete snapshot. Waits for nothing. */
  dir(): string;
  /** The tools have changed: write anew. */
  changed(): void;
  /** Resolves when the newest snapshot holds the present tools. Never rejects. */
  settled(): Promise<void>;
}

/** Resolves with the first snapshot written; `onWritten` tells of each later one. @throws what the store throws for it. */
export async function createSnapshotKeeper(
  store: Pick<WrapperStore, 'snapshot'>,
  tools: () => readonly ToolDefinition[],
  onWritten: () => void,
  log: ServerLog,
): Promise<SnapshotKeeper> {
  let dir = (await store.snapshot(tools())).dir;
  let isWanted = false;
  let work: Promise<void> | null = null;
  async function run(): Promise<void> {
    // A burst of changes in one turn is one snapshot.
    await new Promise((resolve) => setImmediate(resolve));
    while (isWanted) {
      isWanted = false;
      try {
        ({ dir } = await store.snapshot(tools()));
        onWritten();
      } catch (error) {
        log.warn({ reason: messageOf(error) }, 'The wrappers could not be written; programs see those of the catalog before');
      }
    }
  }
  return {
    dir: () => dir,
    changed() {
      isWanted = true;
      work ??= run().finally(() => {
        work = null;
      });
    },
    async settled() {
      while (work !== null) await work;
    },
  };
}
