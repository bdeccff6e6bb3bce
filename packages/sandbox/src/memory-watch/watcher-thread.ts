import { parentPort, workerData } from 'node:worker_threads';
import type { FromWatcher, ToWatcher } from './create-memory-watch.ts';
import { measureExactly, measureQuickly } from './measure-tree.ts';

interface Watched {
  readonly initPid: number;
  readonly limitBytes: number;
  readonly peak: BigInt64Array;
  /** When this one is due again; a big tree, which costs much to read, is read less often. */
  dueMs: number;
}

const { intervalMs } = workerData as { readonly intervalMs: number };
const watched = new Map<number, Watched>();
let timer: NodeJS.Timeout | undefined;

parentPort?.on('message', (message: ToWatcher) => {
  if (message.type === 'watch') {
    const { id, initPid, limitBytes, peaks } = message;
    watched.set(id, { initPid, limitBytes, peak: new BigInt64Array(peaks), dueMs: 0 });
    timer ??= setInterval(sampleAll, intervalMs / CLOSER);
    sampleAll();
    return;
  }
  watched.delete(message.id);
  if (watched.size === 0) {
    clearInterval(timer);
    timer = undefined;
  }
});

function sampleAll(): void {
  for (const [id, one] of watched) {
    const startedMs = performance.now();
    if (startedMs < one.dueMs) continue;
    const quick = measureQuickly(one.initPid);
    const bytes = quick > one.limitBytes ? measureExactly(one.initPid, one.limitBytes) : quick;
    if (bytes > Number(Atomics.load(one.peak, 0))) Atomics.store(one.peak, 0, BigInt(Math.round(bytes)));
    if (bytes > one.limitBytes) {
      watched.delete(id);
      parentPort?.postMessage({ type: 'exceeded', id, bytes } satisfies FromWatcher);
    }
    const untilNextMs = bytes > one.limitBytes / 3 ? intervalMs / CLOSER : intervalMs;
    // At most a fifth of this thread's time for one tree: a fork bomb must not hide its neighbours.
    one.dueMs = startedMs + Math.max(untilNextMs - 1, 5 * (performance.now() - startedMs));
  }
}

/** Trees that hold a third of their limit are looked at so many times as often: many processes fill the rest within an interval. */
const CLOSER = 4;
