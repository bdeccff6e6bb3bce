import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { type Logger, messageOf } from '@code-executor/platform';
import Docker, { type ContainerCreateOptions } from 'dockerode';

/** What is done with the engine, and all that is done with it. */
export interface Engine {
  /** Id of an image that is here. Throws where it is not. */
  imageId(name: string): Promise<string>;
  /** A directory of this process as the engine sees it; the same one where this process runs on the engine's own host. */
  hostDir(dir: string, ownHostname: string): Promise<string>;
  create(template: ContainerCreateOptions): Promise<string>;
  start(id: string): Promise<void>;
  /** Kills and removes it. Fine where it is gone; throws what else the engine says. */
  remove(id: string): Promise<void>;
  /** Ids of all containers with this label, living or not. */
  labelled(label: string): Promise<readonly string[]>;
  /** Whether it was ever at its memory limit. */
  wasAtLimit(id: string): Promise<boolean>;
  /** Calls back with the id of each labelled container that the kernel takes memory from by force. */
  onOutOfMemory(label: string, take: (id: string) => void): void;
  answers(): Promise<boolean>;
  close(): void;
}

const CALL_LIMIT_MS = 60_000;
const LISTEN_AGAIN_MS = 1_000;

/** Over the engine's own socket; nobody else in the fleet has it. */
export function connectToEngine(socketPath: string, log: Pick<Logger, 'warn'>): Engine {
  const docker = new Docker({ socketPath, timeout: CALL_LIMIT_MS });
  const closing = new AbortController();

  const listen = async (label: string, take: (id: string) => void): Promise<void> => {
    // Without the limit of other calls: this one lasts as long as the engine.
    const stream = await new Docker({ socketPath }).getEvents({ filters: { type: ['container'], event: ['oom'], label: [label] } });
    const stop = (): void => void ('destroy' in stream && typeof stream.destroy === 'function' && stream.destroy());
    closing.signal.addEventListener('abort', stop, { once: true });
    let rest = '';
    stream.on('data', (chunk: Buffer) => {
      const lines = (rest + chunk.toString('utf8')).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        const id = idOf(line);
        if (id !== null) take(id);
      }
    });
    await once(stream, 'close');
    closing.signal.removeEventListener('abort', stop);
  };

  return {
    async imageId(name) {
      return (await docker.getImage(name).inspect()).Id;
    },
    async hostDir(dir, ownHostname) {
      const own = await docker.getContainer(ownHostname).inspect().catch(ignoreMissing);
      const mount = own?.Mounts.filter(({ Destination }) => dir === Destination || dir.startsWith(`${Destination}/`)).sort(
        (one, other) => other.Destination.length - one.Destination.length,
      )[0];
      return mount === undefined ? dir : `${mount.Source}${dir.slice(mount.Destination.length)}`;
    },
    async create(template) {
      return (await docker.createContainer(template)).id;
    },
    async start(id) {
      await docker.getContainer(id).start();
    },
    async remove(id) {
      try {
        await docker.getContainer(id).remove({ force: true, v: true });
      } catch (error) {
        // 409: it is being removed, by the engine itself.
        if (statusOf(error) === 409) await untilGone(docker, id);
        else ignoreMissing(error);
      }
    },
    async labelled(label) {
      return (await docker.listContainers({ all: true, filters: { label: [label] } })).map(({ Id }) => Id);
    },
    async wasAtLimit(id) {
      const stats = await docker.getContainer(id).stats({ stream: false, 'one-shot': true });
      return (stats.memory_stats?.failcnt ?? 0) > 0;
    },
    onOutOfMemory(label, take) {
      void (async () => {
        while (!closing.signal.aborted) {
          await listen(label, take).catch((error: unknown) =>
            log.warn({ err: error }, `the engine's events cannot be heard: ${messageOf(error)}`),
          );
          await delay(LISTEN_AGAIN_MS, undefined, { ref: false });
        }
      })();
    },
    answers: () =>
      docker.ping().then(
        () => true,
        () => false,
      ),
    close: () => closing.abort(),
  };
}

async function untilGone(docker: Docker, id: string): Promise<void> {
  for (let look = 0; look < LOOKS; look += 1) {
    if ((await docker.getContainer(id).inspect().catch(ignoreMissing)) === null) return;
    await delay(LOOK_EVERY_MS);
  }
}

const LOOKS = 500;
const LOOK_EVERY_MS = 20;

/** 304: done already; 404: there is none. */
function ignoreMissing(error: unknown): null {
  const status = statusOf(error);
  if (status !== 404 && status !== 304) throw error;
  return null;
}

const statusOf = (error: unknown): unknown => (error instanceof Error && 'statusCode' in error ? error.statusCode : null);

function idOf(line: string): string | null {
  if (line.trim() === '') return null;
  const event: unknown = JSON.parse(line);
  return typeof event === 'object' && event !== null && 'id' in event && typeof event.id === 'string' ? event.id : null;
}
