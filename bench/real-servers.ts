import { performance } from 'node:perf_hooks';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import type { Service } from '../test/support/start-service.ts';
import { type Series, summarise } from './statistics.ts';

const PATH_OF_FILE = 'hello.txt';

export interface ToolFigures {
  readonly none: Series;
  readonly one: Series;
  readonly two: Series;
  /** The same call through the SDK's own client, without us. */
  readonly direct: Series;
}

/** Programs with no, one and two tool calls in turn, beside the same call made directly to a server of the same kind. */
export async function measureToolCalls(
  service: Service,
  filesystem: { command: string; args: string[] },
  root: string,
  pauseMs: number,
): Promise<ToolFigures> {
  const path = `${root}/${PATH_OF_FILE}`;
  const call = `await tools.filesystem.read_text_file({ path: ${JSON.stringify(path)} });`;
  const programs = { none: 'return 1', one: `${call} return 1`, two: `${call} ${call} return 1` };
  const series: Record<keyof typeof programs | 'direct', number[]> = { none: [], one: [], two: [], direct: [] };
  const client = new Client({ name: 'bench', version: '1.0.0' });
  await client.connect(new StdioClientTransport({ command: filesystem.command, args: filesystem.args, stderr: 'ignore' }));
  try {
    for (let run = 0; run < 120; run += 1) {
      for (const name of ['none', 'one', 'two'] as const) {
        const before = performance.now();
        const answer = await service.post('/execute', { language: 'typescript', code: programs[name] });
        if ((answer.body as { result?: unknown }).result !== 1) throw new Error(JSON.stringify(answer.body).slice(0, 500));
        if (run >= 20) series[name].push(performance.now() - before);
        await new Promise((resolve) => setTimeout(resolve, pauseMs));
      }
      const before = performance.now();
      const direct = await client.callTool({ name: 'read_text_file', arguments: { path } });
      if (direct.isError === true) throw new Error(`the direct call failed: ${JSON.stringify(direct).slice(0, 500)}`);
      if (run >= 20) series.direct.push(performance.now() - before);
    }
  } finally {
    await client.close();
  }
  return { none: summarise(series.none), one: summarise(series.one), two: summarise(series.two), direct: summarise(series.direct) };
}

export interface TokenFigures {
  readonly tools: number;
  readonly names: number;
  readonly descriptions: number;
  readonly full: number;
}

/** o200k tokens of the whole catalog by level of detail, as /tools/search counts them. */
export async function measureTokens(service: Service): Promise<TokenFigures> {
  const tokensOf = async (detail: string) => {
    const { body } = await service.get(`/tools/search?q=&detail=${detail}&limit=1000`);
    return body as { total: number; tokens: number };
  };
  const [names, descriptions, full] = [await tokensOf('name'), await tokensOf('description'), await tokensOf('full')];
  return { tools: names.total, names: names.tokens, descriptions: descriptions.tokens, full: full.tokens };
}
