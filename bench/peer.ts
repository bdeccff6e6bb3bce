import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { performance } from 'node:perf_hooks';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { type Series, summarise } from './statistics.ts';

/** A whole `node -e 0`, start to end, one after the other: what "run a bit of JavaScript" costs everybody. */
export async function measureBareNode(runs: number): Promise<Series> {
  const durations: number[] = [];
  for (let run = 0; run < runs; run += 1) {
    const before = performance.now();
    const child = spawn(process.execPath, ['-e', '0'], { stdio: 'ignore' });
    const [code] = await once(child, 'exit');
    if (code !== 0) throw new Error(`node -e 0 ended with ${code}`);
    durations.push(performance.now() - before);
  }
  return summarise(durations);
}

export interface PeerFigures {
  readonly latency: Series;
  readonly perSecond: number;
}

/**
 * The peer `executor` from npm (QuickJS in its own process), if it is on PATH, answering `return 2+2` over MCP on stdio: one
 * client with the same pauses as ours, then 16 calls at a time. Null where it is not installed.
 */
export async function measurePeer(home: string, runs: number, pauseMs: number): Promise<PeerFigures | null> {
  try {
    execFileSync('executor', ['--version'], { stdio: 'ignore', timeout: 20_000 });
  } catch {
    return null;
  }
  const client = new Client({ name: 'bench', version: '1.0.0' });
  const environment = { HOME: home, PATH: process.env.PATH ?? '' };
  await client.connect(new StdioClientTransport({ command: 'executor', args: ['mcp'], env: environment, stderr: 'ignore' }));
  try {
    const call = async () => {
      const before = performance.now();
      const { structuredContent } = await client.callTool({ name: 'execute', arguments: { code: 'return 2+2' } });
      if ((structuredContent as { result?: unknown } | undefined)?.result !== 4) throw new Error('the peer answered something else');
      return performance.now() - before;
    };
    await call();
    const durations: number[] = [];
    for (let run = 0; run < runs; run += 1) {
      durations.push(await call());
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
    const start = performance.now();
    let answered = 0;
    const loop = async () => {
      for (; performance.now() - start < 5_000; answered += 1) await call();
    };
    await Promise.all(Array.from({ length: 16 }, loop));
    return { latency: summarise(durations), perSecond: answered / ((performance.now() - start) / 1_000) };
  } finally {
    await client.close();
  }
}
