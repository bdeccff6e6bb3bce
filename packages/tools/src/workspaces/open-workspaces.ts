import { AppError, type Logger, messageOf } from '@code-executor/platform';
import type { WorkspaceTools } from './workspace-tools.ts';

/** How long workspaces are kept open that nobody uses, and how many at once. */
export interface WorkspaceKeeping {
  readonly idleMs?: number | undefined;
  readonly maximum?: number | undefined;
}

type Kept = Pick<WorkspaceTools, 'close' | 'reload' | 'start' | 'snapshotDir'>;

/** The workspaces beside the home one: opened when they are needed, let go when nobody has needed them for a while. */
export interface OpenWorkspaces<Tools extends Kept> {
  /** Opens it where it is not open; it stays so until `act` is done. @throws AppError WORKSPACE_NOT_FOUND, and what `act` throws. */
  use<Answer>(workspaceId: string, act: (tools: Tools) => Answer | Promise<Answer>): Promise<Answer>;
  all(): Iterable<Tools>;
  /** Those that have been removed meanwhile are closed, the others take over what has changed. */
  reload(): Promise<void>;
  close(): Promise<void>;
}

interface Entry<Tools> {
  readonly opening: Promise<Tools>;
  tools: Tools | null;
  users: number;
  usedAtMs: number;
}

const IDLE_MS = 10 * 60_000;
/** Beyond it those go first that nobody uses; what is in use stays, however many there are. */
const MAXIMUM = 100;
const SWEEP_MS = 5_000;

export function createOpenWorkspaces<Tools extends Kept>(
  { idleMs = IDLE_MS, maximum = MAXIMUM }: WorkspaceKeeping,
  deps: {
    open(workspaceId: string): Promise<Tools>;
    exists(workspaceId: string): Promise<boolean>;
    readonly log: Pick<Logger, 'info' | 'warn'>;
  },
): OpenWorkspaces<Tools> {
  const { log } = deps;
  const entries = new Map<string, Entry<Tools>>();
  /** One that is being closed is opened again afterwards, and not before: both would start its servers. */
  const closing = new Map<string, Promise<void>>();
  let isClosed = false;
  const timer = setInterval(() => letGo(idleMs), Math.min(SWEEP_MS, idleMs));
  timer.unref();

  return {
    async use(workspaceId, act) {
      const entry = entries.get(workspaceId) ?? begin(workspaceId);
      entry.users += 1;
      try {
        return await act(entry.tools ?? (await entry.opening));
      } finally {
        entry.users -= 1;
        entry.usedAtMs = performance.now();
      }
    },
    *all() {
      for (const { tools } of entries.values()) if (tools !== null) yield tools;
    },
    async reload() {
      for (const [workspaceId, { opening }] of entries) {
        if (!(await deps.exists(workspaceId))) {
          await shut(workspaceId);
          continue;
        }
        await (await opening).reload();
      }
    },
    async close() {
      isClosed = true;
      clearInterval(timer);
      await Promise.all([...closing.values(), ...[...entries.keys()].map(shut)]);
    },
  };

  function begin(workspaceId: string): Entry<Tools> {
    if (isClosed) throw new AppError('SHUTTING_DOWN', 'This service is stopping');
    const entry: Entry<Tools> = { opening: open(workspaceId), tools: null, users: 0, usedAtMs: performance.now() };
    entries.set(workspaceId, entry);
    entry.opening.then(
      (tools) => {
        entry.tools = tools;
        if (entries.size > maximum) letGo(0);
      },
      () => {
        if (entries.get(workspaceId) === entry) entries.delete(workspaceId);
      },
    );
    return entry;
  }

  async function open(workspaceId: string): Promise<Tools> {
    await closing.get(workspaceId);
    if (!(await deps.exists(workspaceId))) throw new AppError('WORKSPACE_NOT_FOUND', `There is no workspace ${workspaceId.slice(0, 64)}.`);
    const tools = await deps.open(workspaceId);
    tools.start();
    log.info({ workspaceId, open: entries.size }, 'A workspace was opened');
    return tools;
  }

  /** The least recently used first, down to the maximum; with `forMs` also what nobody has used for so long. */
  function letGo(forMs: number): void {
    const idle = [...entries]
      .filter(([, { tools, users }]) => tools !== null && users === 0)
      .sort(([, one], [, other]) => one.usedAtMs - other.usedAtMs);
    const surplus = entries.size - maximum;
    for (const [index, [workspaceId, { usedAtMs }]] of idle.entries()) {
      if (index >= surplus && (forMs === 0 || performance.now() - usedAtMs < forMs)) return;
      void shut(workspaceId);
    }
  }

  function shut(workspaceId: string): Promise<void> {
    const entry = entries.get(workspaceId);
    if (entry === undefined) return closing.get(workspaceId) ?? Promise.resolve();
    entries.delete(workspaceId);
    const work = entry.opening
      .then((tools) => tools.close())
      .catch((error: unknown) => log.warn({ workspaceId, reason: messageOf(error) }, 'A workspace could not be let go in order'))
      .finally(() => closing.delete(workspaceId));
    closing.set(workspaceId, work);
    return work;
  }
}
