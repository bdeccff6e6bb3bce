import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { type ContainerOrder, OUTPUT_NAME } from '@code-executor/sandbox';
import type { Engine } from './engine.ts';
import { Refused } from './refused.ts';
import type { SnapshotStore } from './snapshot-store.ts';
import { containerTemplate, type PinnedTemplate } from './template.ts';

export interface MakerOptions {
  readonly engine: Engine;
  readonly pinned: PinnedTemplate;
  readonly maxima: ContainerOrder['limits'];
  readonly most: number;
  readonly firstUid: number;
  /** Where sockets of containers and their workers lie, and both directories as the engine sees them. */
  readonly channelsDir: string;
  readonly hostChannelsDir: string;
  readonly hostSnapshotsDir: string;
  readonly label: string;
}

export interface ContainerMaker {
  /** A container that is not started yet. Throws Refused for what may not be had. Takes over `snapshot`. */
  make(order: ContainerOrder, snapshot: ReturnType<SnapshotStore['take']>, onOutOfMemory: () => void): Promise<MadeContainer>;
  living(): number;
}

export interface MadeContainer {
  /** Name of the directory that it shares with the one who asked. */
  readonly directory: string;
  start(): Promise<void>;
  ranOutOfMemory(): Promise<boolean>;
  /** No process of it is left afterwards. Idempotent. */
  remove(): Promise<void>;
}

/** The kernel's word about memory and the end of a process come by different ways. */
const WORD_LIMIT_MS = 2_000;

export function createContainerMaker(options: MakerOptions): ContainerMaker {
  const { engine, channelsDir, most, firstUid } = options;
  const uids = new Set<number>();
  const listeners = new Map<string, () => void>();
  engine.onOutOfMemory(options.label, (id) => listeners.get(id)?.());

  return {
    living: () => uids.size,
    async make(order, snapshot, onOutOfMemory) {
      const directory = randomBytes(16).toString('hex');
      const uid = await freeUid(uids, firstUid, most);
      const outOfMemory = Promise.withResolvers<true>();
      let id: string | null = null;
      let removed: Promise<void> | null = null;
      const remove = async (): Promise<void> => {
        try {
          if (id !== null) await engine.remove(id);
        } finally {
          if (id !== null) listeners.delete(id);
          snapshot?.release();
          await rm(join(channelsDir, directory), { recursive: true, force: true });
          // Last: until its container is gone nobody else may be this user.
          if (uid !== null) uids.delete(uid);
        }
      };
      try {
        if (uid === null) throw new Refused(`${most} containers live already; EXECUTOR_CONTAINERS allows no more`);
        refuseBeyond(order.limits, options.maxima);
        await makePlace(join(channelsDir, directory));
        id = await engine.create(
          containerTemplate(options.pinned, {
            order,
            name: `code-executor-sandbox-${directory}`,
            uid,
            channelDir: join(options.hostChannelsDir, directory),
            snapshotDir: snapshot === null || order.snapshot === null ? null : join(options.hostSnapshotsDir, order.snapshot),
          }),
        );
      } catch (error) {
        await remove();
        throw error;
      }
      const made = id;
      listeners.set(made, () => {
        outOfMemory.resolve(true);
        onOutOfMemory();
      });
      return {
        directory,
        start: () => engine.start(made),
        async ranOutOfMemory() {
          if (!(await engine.wasAtLimit(made))) return false;
          return await Promise.race([outOfMemory.promise, delay(WORD_LIMIT_MS, false, { ref: false })]);
        },
        remove() {
          removed ??= remove();
          return removed;
        },
      };
    },
  };
}

function refuseBeyond(limits: ContainerOrder['limits'], maxima: ContainerOrder['limits']): void {
  for (const [name, most] of Object.entries(maxima)) {
    const asked = limits[name as keyof typeof limits];
    if (asked > most) throw new Refused(`${name} of ${asked} is more than the ${most} that this service allows`);
  }
}

/** One that nobody is; null: none became free in time. What has just ended takes the engine a moment to remove. */
async function freeUid(taken: Set<number>, first: number, most: number): Promise<number | null> {
  for (const end = performance.now() + FREE_LIMIT_MS; ; await delay(FREE_LOOK_MS)) {
    for (let uid = first; uid < first + most; uid += 1) {
      if (taken.has(uid)) continue;
      taken.add(uid);
      return uid;
    }
    if (performance.now() > end) return null;
  }
}

const FREE_LIMIT_MS = 5_000;
const FREE_LOOK_MS = 50;

/** Only who knows the name finds it, and one container; both write there under users of their own. */
async function makePlace(dir: string): Promise<void> {
  await mkdir(dir, { mode: 0o700 });
  await promisify(execFile)('mkfifo', ['-m', '666', join(dir, OUTPUT_NAME)], { timeout: 5_000, env: {} });
  await chmod(join(dir, OUTPUT_NAME), 0o666);
  await chmod(dir, 0o777);
}
