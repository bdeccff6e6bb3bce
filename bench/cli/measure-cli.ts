import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { summarise } from '../statistics.ts';

const RUNS = 11;
const CLI = fileURLToPath(new URL('../../packages/cli/bin/executor.js', import.meta.url));

export interface CliStart {
  /** Medians. */
  readonly nodeMs: number;
  readonly versionMs: number;
  readonly helpMs: number;
}

/** What starting `executor` takes beside starting Node alone, each in turn, so that a busy machine slows all of them. */
export function measureCli(): CliStart {
  const taken: Record<keyof CliStart, number[]> = { nodeMs: [], versionMs: [], helpMs: [] };
  for (let run = 0; run < RUNS; run += 1) {
    taken.nodeMs.push(timed(['-e', '0']));
    taken.versionMs.push(timed([CLI, '--version']));
    taken.helpMs.push(timed([CLI, 'run', '--help']));
  }
  return { nodeMs: summarise(taken.nodeMs).p50, versionMs: summarise(taken.versionMs).p50, helpMs: summarise(taken.helpMs).p50 };
}

function timed(args: readonly string[]): number {
  const began = performance.now();
  const { status } = spawnSync(process.execPath, args, { stdio: 'ignore' });
  if (status !== 0) throw new Error(`node ${args.join(' ')} ended with ${status}`);
  return performance.now() - began;
}
