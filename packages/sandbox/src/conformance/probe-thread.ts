import { workerData } from 'node:worker_threads';
import { treeBytes } from './measure-outside.ts';

const { initPid, peaks } = workerData as { readonly initPid: number; readonly peaks: SharedArrayBuffer };
const peak = new Float64Array(peaks);
const SAMPLE_MS = 5;

function sample(): void {
  const startedMs = performance.now();
  peak[0] = Math.max(peak[0] ?? 0, treeBytes(initPid));
  // Big trees cost the kernel much to add up.
  setTimeout(sample, Math.max(SAMPLE_MS, 3 * (performance.now() - startedMs)));
}
sample();
