import { dirname, join } from 'node:path';
import { AppError } from '@code-executor/platform';
import { bootWithin, orAborted } from '../boot/boot-within.ts';
import type { BootingSandbox } from '../boot/booting-sandbox.ts';
import type { FrameCaps } from '../channel/frame-channel.ts';
import type { SandboxAdapter, SandboxSpec } from '../port.ts';
import { containSandbox } from './contained-sandbox.ts';
import { CONTAINER_DEGRADATIONS } from './degradations.ts';
import { openPlace } from './open-place.ts';
import { connectToPool, type PoolConnection } from './pool-connection.ts';
import type { ContainerAnswer } from './protocol.ts';
import { createSnapshotDigests, readSnapshot } from './read-snapshot.ts';

export interface ContainerAdapterOptions {
  /** Of the service that makes containers; the directories that it shares with them lie beside it. */
  readonly socketPath: string;
  readonly key: string;
  readonly frameCaps?: FrameCaps | undefined;
  /** How long a sandbox may take to become ready; an engine takes half a second for one container on a quiet machine. */
  readonly bootLimitMs?: number | undefined;
}

const BOOT_LIMIT_MS = 60_000;

/**
 * Sandboxes that are single-use containers, for hosts that cannot nest namespaces. Another service makes them: nobody here reaches the
 * engine, and of a container only its runtime, wrappers and limits can be asked for.
 */
export function createContainerAdapter(options: ContainerAdapterOptions): SandboxAdapter {
  const { socketPath, key } = options;
  const alive = new Set<{ kill(): void; readonly gone: Promise<void> }>();
  const digestOf = createSnapshotDigests();
  let closed = false;

  const order = async (spec: SandboxSpec, signal: AbortSignal): Promise<BootingSandbox> => {
    if (closed) throw new AppError('SANDBOX_UNAVAILABLE', 'The sandbox adapter is closed');
    const { runtime, waits = false, snapshotDir, limits } = spec;
    const snapshot = snapshotDir === null ? null : await digestOf(snapshotDir);
    const connection = await connectToPool(socketPath);
    try {
      signal.throwIfAborted();
      connection.send({ type: 'order', key, runtime, waits, snapshot, limits });
      let answer = await orAborted(connection.answer(), signal);
      if (answer.type === 'missing' && snapshotDir !== null) {
        await sendSnapshot(connection, snapshotDir, signal);
        answer = await orAborted(connection.answer(), signal);
      }
      const id = placeOf(answer);
      const dir = join(dirname(socketPath), 'channels', id);
      const sandbox = await containSandbox({ id, spec, connection, frameCaps: options.frameCaps, place: openPlace.bind(null, dir) });
      alive.add(sandbox);
      void sandbox.gone.then(() => alive.delete(sandbox));
      if (closed || signal.aborted) sandbox.kill();
      return sandbox;
    } catch (error) {
      connection.close();
      throw error;
    }
  };

  return {
    name: 'container',
    degradations: CONTAINER_DEGRADATIONS,
    boot: (spec, signal) => bootWithin({ spec, signal, limitMs: options.bootLimitMs ?? BOOT_LIMIT_MS }, (bounded) => order(spec, bounded)),
    async close() {
      closed = true;
      await Promise.all(
        [...alive].map((sandbox) => {
          sandbox.kill();
          return sandbox.gone;
        }),
      );
    },
  };
}

function placeOf(answer: ContainerAnswer): string {
  if (answer.type === 'place') return answer.directory;
  throw new AppError(
    'SANDBOX_UNAVAILABLE',
    `No container was made: ${answer.type === 'refused' ? answer.reason : `the service said ${answer.type}`}`,
  );
}

async function sendSnapshot(connection: PoolConnection, dir: string, signal: AbortSignal): Promise<void> {
  for await (const entry of readSnapshot(dir)) {
    signal.throwIfAborted();
    connection.send(entry.type === 'file' ? { ...entry, content: entry.content.toString('base64') } : entry);
    await connection.drained();
  }
  connection.send({ type: 'stored' });
}
