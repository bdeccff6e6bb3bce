import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { performance } from 'node:perf_hooks';
import { type Series, summarise } from './statistics.ts';

/** A whole `node -e 0`, start to end, one after the other: what "run a bit of JavaScript" costs everybody. */
export async function measureBareNode(runs: number): Promise<Series> {
  const durations: number[] = [];
  for (let run = 0; run < runs; run += 1) {
    const before = performance.now();
    const child = spawn(process.execPath, ['-e', '0'], { stdio: 'ignore' });
    await once(child, 'exit');
    durations.push(performance.now() - before);
  }
  return summarise(durations);
}

/** The peer `executor` from npm, if it is on PATH: null otherwise. Each figure is its own CLI's whole run of `return 2+2`. */
export async function measurePeer(runs: number): Promise<Series | null> {
  try {
    execFileSync('executor', ['--version'], { stdio: 'ignore', timeout: 20_000 });
  } catch {
    return null;
  }
  const durations: number[] = [];
  for (let run = 0; run < runs; run += 1) {
    const before = performance.now();
    const child = spawn('executor', ['call', 'return 2+2'], { stdio: 'ignore' });
    const [code] = await once(child, 'exit');
    if (code !== 0) return null;
    durations.push(performance.now() - before);
  }
  return summarise(durations);
}
