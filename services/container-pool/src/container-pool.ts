import { randomBytes } from 'node:crypto';
import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { AppError, type Closable, type Logger, messageOf, type Open, openParts } from '@code-executor/platform';
import { sandboxLimitsOf } from '@code-executor/sandbox';
import type { ContainerPoolConfig } from './config.ts';
import { createContainerMaker } from './container-maker.ts';
import { connectToEngine, type Engine } from './engine.ts';
import { containerSeccompProfile } from './seccomp-profile.ts';
import { serveOrder } from './serve-order.ts';
import { openSnapshotStore } from './snapshot-store.ts';

const LABEL = 'code-executor.container-pool';

/** Makes single-use containers for workers. Answers what was opened, in order; the caller closes it. */
export function startContainerPool(config: ContainerPoolConfig, log: Logger): Promise<readonly Closable[]> {
  return openParts(log, (open) => compose(config, log, open));
}

async function compose(config: ContainerPoolConfig, log: Logger, open: Open): Promise<void> {
  const dataDir = config.EXECUTOR_DATA_DIR;
  const channelsDir = join(dataDir, 'channels');
  await mkdir(dataDir, { recursive: true });
  // Workers come in under a user of their own, and may write nothing here.
  await chmod(dataDir, 0o755);
  const engine = open('engine', connectToEngine(config.EXECUTOR_CONTAINER_ENGINE, log), (part) => part.close());
  const label = `${LABEL}=${await ownId(dataDir)}`;
  await removeLeftovers(engine, label, log);
  await rm(channelsDir, { recursive: true, force: true });
  await mkdir(channelsDir, { mode: 0o711 });
  await chmod(channelsDir, 0o711);
  const snapshots = await openSnapshotStore(join(dataDir, 'snapshots'));
  const hostDir = config.EXECUTOR_CONTAINER_HOST_DIR ?? (await engine.hostDir(dataDir, hostname()));
  const maker = createContainerMaker({
    engine,
    pinned: {
      imageId: await imageId(engine, config.EXECUTOR_CONTAINER_IMAGE),
      runtime: config.EXECUTOR_CONTAINER_RUNTIME ?? null,
      cpus: config.EXECUTOR_CONTAINER_CPUS,
      seccompProfile: await containerSeccompProfile(),
      labels: { [LABEL]: label.slice(LABEL.length + 1) },
    },
    maxima: sandboxLimitsOf(config),
    most: config.EXECUTOR_CONTAINERS,
    firstUid: config.EXECUTOR_CONTAINER_FIRST_UID,
    channelsDir,
    hostChannelsDir: join(hostDir, 'channels'),
    hostSnapshotsDir: join(hostDir, 'snapshots'),
    label,
  });
  const deps = { key: config.EXECUTOR_CONTAINER_KEY, maker, snapshots, log };
  open('door', await openDoor(join(dataDir, 'pool.sock'), (socket) => serveOrder(socket, deps)), (part) => part.close());
  log.info(
    { dataDir, hostDir, image: config.EXECUTOR_CONTAINER_IMAGE, runtime: config.EXECUTOR_CONTAINER_RUNTIME ?? null },
    'making containers',
  );
}

/** Kept between starts: by it a service that was killed finds the containers that it left. */
async function ownId(dataDir: string): Promise<string> {
  const path = join(dataDir, 'id');
  const known = await readFile(path, 'utf8').catch(() => '');
  if (/^[0-9a-f]{16}$/.test(known)) return known;
  const id = randomBytes(8).toString('hex');
  await writeFile(path, id, { mode: 0o600 });
  return id;
}

async function removeLeftovers(engine: Engine, label: string, log: Logger): Promise<void> {
  let ids: readonly string[];
  try {
    ids = await engine.labelled(label);
  } catch (error) {
    throw new AppError('SANDBOX_UNAVAILABLE', `The container engine does not answer: ${messageOf(error)}`, { cause: error });
  }
  await Promise.all(ids.map((id) => engine.remove(id)));
  if (ids.length > 0) log.info({ containers: ids.length }, 'removed containers that an earlier start had left');
}

async function imageId(engine: Engine, name: string): Promise<string> {
  try {
    return await engine.imageId(name);
  } catch (error) {
    throw new AppError(
      'SANDBOX_UNAVAILABLE',
      `The image ${name} is not here; sandbox-image/README.md says how it is built (${messageOf(error)})`,
      {
        cause: error,
      },
    );
  }
}

/** Whoever reaches the socket may connect; the key in the first line is what counts. */
async function openDoor(path: string, serve: (socket: Socket) => Promise<void>): Promise<{ close(): Promise<void> }> {
  const sockets = new Map<Socket, Promise<void>>();
  await rm(path, { force: true });
  const server = createServer((socket) => {
    sockets.set(
      socket,
      serve(socket).finally(() => sockets.delete(socket)),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ path, readableAll: true, writableAll: true }, resolve);
  });
  return {
    async close() {
      server.close();
      for (const socket of sockets.keys()) socket.destroy();
      await Promise.all(sockets.values());
      await rm(path, { force: true });
    },
  };
}
