import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createExecutor, type EmbeddedExecutor } from '@code-executor/standalone';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { recorded, recordingServer } from './support/recording-entry.ts';

let directory: string;
let executor: EmbeddedExecutor;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'embedded-'));
  mkdirSync(join(directory, 'data'));
  const mcpServers = { notes: recordingServer(join(directory, 'notes.txt')) };
  writeFileSync(join(directory, 'data/mcp-servers.json'), JSON.stringify({ mcpServers }));
  executor = await createExecutor({
    dataDir: join(directory, 'data'),
    settings: { EXECUTOR_POOL_PYTHON: '1', EXECUTOR_POOL_TYPESCRIPT: '1' },
  });
}, 150_000);

afterAll(async () => {
  await executor?.close();
  rmSync(directory, { recursive: true, force: true });
});

test('the engine runs programs and calls tools inside another program, and nothing listens', async () => {
  await expect.poll(async () => (await executor.ready()).ready, { timeout: 60_000 }).toBe(true);
  await expect(executor.execute("return await tools.notes.note({ text: 'embedded' })")).resolves.toMatchObject({
    result: 'noted embedded',
  });
  expect(recorded(join(directory, 'notes.txt'))).toEqual(['note embedded']);
  await expect(fetch(`${executor.url}/health`).then((answer) => answer.json())).rejects.toThrow();
});

test('its events stream, and its files go in and out', async () => {
  const run = await executor.stream({ language: 'python', sessionId: 's', code: 'print("a")\nopen("b.bin", "wb").write(b"\\x00\\xff")' });
  const printed: string[] = [];
  for await (const event of run) if (event.type === 'output') printed.push(event.data.text);
  expect(printed.join('')).toBe('a\n');
  expect(await executor.sessions.download('s', 'b.bin')).toEqual(new Uint8Array([0, 255]));
  await executor.sessions.end('s');
  await expect(executor.executions.get('exe_nothing')).rejects.toMatchObject({ code: 'EXECUTION_NOT_FOUND' });
});
