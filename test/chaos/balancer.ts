import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Balancer {
  readonly url: string;
  close(): Promise<void>;
}

const PROBE_INTERVAL_MS = 500;
const PROBE_TIMEOUT_MS = 1_000;

/**
 * One address for several processes, as a Kubernetes Service is: new connections go in turn to those whose readiness probe
 * succeeds, or to any where none does; connections that stand are left alone. A refused one goes to the next target.
 */
export async function startBalancer(targets: readonly string[]): Promise<Balancer> {
  const ready = new Set(targets);
  const sockets = new Set<Socket>();
  const stop = new AbortController();
  const probing = Promise.all(targets.map(probe));
  let turn = 0;
  const listener = createServer((near) => {
    keep(near);
    near.pause();
    turn += 1;
    const preferred = ready.size > 0 ? targets.filter((target) => ready.has(target)) : targets;
    const first = turn % preferred.length;
    join(near, [...preferred.slice(first), ...preferred.slice(0, first)]);
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  return {
    url: `http://127.0.0.1:${(listener.address() as AddressInfo).port}`,
    async close() {
      stop.abort();
      for (const socket of sockets) socket.destroy();
      await Promise.all([probing, new Promise((resolve) => listener.close(resolve))]);
    },
  };

  function join(near: Socket, [target, ...others]: readonly string[]): void {
    if (target === undefined || near.destroyed) return void near.destroy();
    const far = connect(Number(new URL(target).port), '127.0.0.1');
    keep(far);
    let connected = false;
    far.once('connect', () => {
      connected = true;
      near.once('close', () => far.destroy());
      far.once('close', () => near.destroy());
      near.pipe(far);
      far.pipe(near);
    });
    far.once('error', () => {
      if (!connected) join(near, others);
    });
  }

  function keep(socket: Socket): void {
    sockets.add(socket);
    socket.setNoDelay(true);
    // Whatever breaks closes, and that is what counts here.
    socket.on('error', () => socket.destroy());
    socket.once('close', () => sockets.delete(socket));
  }

  async function probe(target: string): Promise<void> {
    while (!stop.signal.aborted) {
      const signal = AbortSignal.any([stop.signal, AbortSignal.timeout(PROBE_TIMEOUT_MS)]);
      const isReady = await fetch(`${target}/health/ready`, { signal }).then(
        async (answer) => {
          await answer.body?.cancel();
          return answer.status === 200;
        },
        () => false,
      );
      if (isReady) ready.add(target);
      else ready.delete(target);
      await sleep(PROBE_INTERVAL_MS, undefined, { signal: stop.signal }).catch(() => undefined);
    }
  }
}
