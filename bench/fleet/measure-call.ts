import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client as McpClient } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { recordingServer } from '../../test/support/recording-entry.ts';
import { percentile } from '../statistics.ts';
import type { Client } from './http-client.ts';

const ROUNDS = 120;
const WARM_UP = 20;
const PAUSE_MS = 20;
const CALL = "await tools.notes.note({ text: 'x' });";
const PROGRAMS = { none: 'return 1', one: `${CALL} return 1`, two: `${CALL} ${CALL} return 1` };

/** Medians of programs with no, one and two tool calls in turn, and of the same call made directly by the SDK's client. */
export async function measureCalls(fleet: Client): Promise<Readonly<Record<keyof typeof PROGRAMS | 'direct', number>>> {
  const series = { none: [] as number[], one: [] as number[], two: [] as number[], direct: [] as number[] };
  const { command, args } = recordingServer('/dev/null') as { command: string; args: string[] };
  const client = new McpClient({ name: 'bench', version: '1.0.0' });
  await client.connect(new StdioClientTransport({ command, args, stderr: 'ignore' }));
  try {
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const name of ['none', 'one', 'two'] as const) {
        const before = performance.now();
        const { body } = await fleet.post('/execute', { language: 'typescript', code: PROGRAMS[name] });
        const took = performance.now() - before;
        if ((body as { result?: unknown }).result !== 1) throw new Error(JSON.stringify(body).slice(0, 500));
        if (round >= WARM_UP) series[name].push(took);
        await sleep(PAUSE_MS);
      }
      const before = performance.now();
      const direct = await client.callTool({ name: 'note', arguments: { text: 'x' } });
      if (direct.isError === true) throw new Error(JSON.stringify(direct.content).slice(0, 500));
      if (round >= WARM_UP) series.direct.push(performance.now() - before);
    }
  } finally {
    await client.close();
  }
  const median = (name: keyof typeof series): number => percentile(series[name], 0.5);
  return { none: median('none'), one: median('one'), two: median('two'), direct: median('direct') };
}
