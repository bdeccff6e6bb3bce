import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { countTokens } from 'gpt-tokenizer/encoding/o200k_base';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { copyFixtureServers, fixtures } from '../support/fixture-servers.ts';
import { type Service, startService } from '../support/start-service.ts';
import { connectClient, type McpConnection } from './client.ts';

const tokensOf = (value: unknown): number => countTokens(JSON.stringify(value));

describe.skipIf(fixtures === undefined)('what an agent spends with the real servers', () => {
  let directory: string;
  let service: Service;
  let code: McpConnection;
  let direct: McpConnection;
  let work: string;

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'tokens-'));
    const copied = copyFixtureServers(fixtures ?? '', directory);
    work = copied.work;
    // The servers see nothing of the data directory.
    mkdirSync(join(directory, 'data'));
    service = await startService(join(directory, 'data'), { EXECUTOR_MCP_SERVERS: copied.serversFile });
    while ((await startingServers()).length > 0) await sleep(200);
    code = await connectClient(service);
    direct = await connectClient(service, { query: '?mode=passthrough' });
  }, 300_000);
  afterAll(async () => {
    await code?.close();
    await direct?.close();
    await service?.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  const startingServers = async () => {
    const { items } = (await service.get('/integrations')).body as { items: { slug: string; state: string }[] };
    return items.filter(({ state }) => state === 'starting').map(({ slug }) => slug);
  };
  const everything = async ({ client }: McpConnection) => {
    const tools: unknown[] = [];
    let cursor: string | undefined;
    do {
      const page = await client.listTools({ cursor });
      tools.push(...page.tools);
      cursor = page.nextCursor;
    } while (cursor !== undefined);
    return tools;
  };

  it('tools and instructions take less than 1,000 tokens, and at least 97 % less than the definitions of the servers', async () => {
    const instructions = code.client.getInstructions() ?? '';
    expect(countTokens(instructions)).toBeLessThan(400);
    const spent = countTokens(instructions) + tokensOf({ tools: await everything(code) });
    expect(spent).toBeLessThan(1_000);
    const definitions = tokensOf({ tools: await everything(direct) });
    expect(1 - spent / definitions).toBeGreaterThanOrEqual(0.97);
  });

  it('a task over three tools costs less in one program than in three calls, definitions included', async () => {
    const path = join(work, 'fs', 'long.txt');
    const content = Array.from(
      { length: 400 },
      (_, index) => `line ${index}: ${index % 7 === 0 ? 'error' : 'ok'} in part ${index % 13}`,
    ).join('\n');
    // One after the other, each answer through the model's context.
    const steps = [
      { name: 'filesystem__write_file', arguments: { path, content } },
      { name: 'filesystem__read_text_file', arguments: { path } },
      { name: 'filesystem__get_file_info', arguments: { path } },
    ];
    let calls = tokensOf({ tools: await everything(direct) });
    for (const step of steps) {
      const answer = await direct.call(step.name, step.arguments);
      expect(answer.isError, JSON.stringify(answer.content)).not.toBe(true);
      calls += tokensOf(step) + tokensOf(answer.content);
    }

    const found = { name: 'search_tools', arguments: { query: 'write read file info', server: 'filesystem' } };
    const program = {
      name: 'execute',
      arguments: {
        language: 'typescript',
        code: `const path = args.path;
const lines = Array.from({ length: 400 }, (_, i) => \`line \${i}: \${i % 7 === 0 ? 'error' : 'ok'} in part \${i % 13}\`);
await tools.filesystem.write_file({ path, content: lines.join('\\n') });
const { content } = await tools.filesystem.read_text_file({ path });
await tools.filesystem.get_file_info({ path });
return content.split('\\n').filter((line) => line.includes('error')).length;`,
        args: { path },
      },
    };
    let spent = countTokens(code.client.getInstructions() ?? '') + tokensOf({ tools: await everything(code) });
    for (const step of [found, program]) {
      const answer = await code.call(step.name, step.arguments);
      expect(answer.isError, JSON.stringify(answer.content)).not.toBe(true);
      spent += tokensOf(step) + tokensOf(answer.content);
    }
    expect(spent).toBeLessThan(calls * 0.2);
  });
});
