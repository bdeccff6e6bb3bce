import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { ask } from './support/ask.ts';
import { type EventStream, followEvents, outputOf, type ReceivedEvent } from './support/events.ts';
import { recordingServer } from './support/recording-entry.ts';
import { serviceForThisFile } from './support/service-suite.ts';
import { type Service, startService } from './support/start-service.ts';

const directory = mkdtempSync(join(tmpdir(), 'live-log-'));
const serversFile = join(directory, 'mcp-servers.json');
writeFileSync(join(directory, 'notes.txt'), '');
writeFileSync(serversFile, JSON.stringify({ mcpServers: { notes: recordingServer(join(directory, 'notes.txt')) } }));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const { service } = serviceForThisFile({ EXECUTOR_MCP_SERVERS: serversFile });

async function begin(code: string, language = 'typescript', of: Service = service()): Promise<string> {
  const reply = await ask(of, 'POST', '/execute', { body: { language, code, wait: false } });
  expect(reply.status, reply.text).toBe(202);
  return (reply.json() as { executionId: string }).executionId;
}

async function follow(executionId: string, lastEventId?: number, of: Service = service()): Promise<EventStream> {
  const stream = await followEvents(of, executionId, lastEventId === undefined ? {} : { lastEventId });
  expect(stream.status).toBe(200);
  return stream;
}

const bare = (events: readonly ReceivedEvent[]) => events.map(({ id, type, data }) => ({ id, type, data }));
const TICKS = 6;
const EVERY_MS = 200;
const ticking = `for (let n = 0; n < ${TICKS}; n++) { console.log('line', n); await new Promise((r) => setTimeout(r, ${EVERY_MS})) }`;

test.each([
  ['typescript', ticking],
  ['node', ticking],
  ['python', `import time\nfor n in range(${TICKS}):\n    print('line', n)\n    time.sleep(${EVERY_MS / 1000})`],
])('lines of %s arrive while the program runs, one event each, with ids from 1 without a gap', async (language, code) => {
  const stream = await follow(await begin(code, language));
  const events = await stream.ended;
  expect(events.map(({ id }) => id)).toEqual(events.map((_, index) => index + 1));
  expect(events.map(({ type }) => type)).toEqual(['status', 'status', ...Array.from({ length: TICKS }, () => 'output'), 'ended']);
  expect(events.slice(0, 2).map(({ data }) => data.status)).toEqual(['queued', 'running']);
  const lines = events.filter(({ type }) => type === 'output');
  expect(lines.map(({ data }) => data.text)).toEqual(Array.from({ length: TICKS }, (_, n) => `line ${n}\n`));
  const endMs = events.at(-1)?.receivedMs ?? 0;
  // A quarter of the time that the program still runs after each line: a busy machine may be late; a log that is sent at the end is not early.
  for (const [index, line] of lines.slice(0, -1).entries()) {
    expect(endMs - line.receivedMs).toBeGreaterThan(((TICKS - index) * EVERY_MS) / 4);
  }
  expect(events.at(-1)?.data).toEqual({ status: 'succeeded', error: null });
});

test('an unfinished line is shown before it ends', async () => {
  const stream = await follow(
    await begin("process.stdout.write('no end yet');\nawait new Promise((r) => setTimeout(r, 1_500));\nconsole.log()"),
  );
  const shown = await stream.until(({ type }) => type === 'output');
  const end = await stream.until(({ type }) => type === 'ended');
  expect(shown.data.text).toBe('no end yet');
  expect(end.receivedMs - shown.receivedMs).toBeGreaterThan(500);
});

test('who comes back with the last id gets the rest, without loss or repeat; all who follow get the same', async () => {
  const id = await begin(ticking);
  const whole = follow(id).then((stream) => stream.ended);
  const other = follow(id).then((stream) => stream.ended);
  const received: ReceivedEvent[] = [];
  while (received.at(-1)?.type !== 'ended') {
    const after = received.at(-1)?.id ?? 0;
    const stream = await follow(id, after);
    // Two events a connection, cut off by the client.
    await stream.until((event) => event.id === after + 2 || event.type === 'ended');
    stream.close();
    received.push(...stream.events.slice(0, 2));
  }
  expect(bare(received)).toEqual(bare(await whole));
  expect(bare(await other)).toEqual(bare(await whole));
  expect(bare(await (await follow(id)).ended)).toEqual(bare(received));
});

test('at the end the same events come to whoever asks from any id on, also after a restart', async () => {
  const dataDir = join(directory, 'restarted');
  mkdirSync(dataDir);
  const environment = { EXECUTOR_POOL_TYPESCRIPT: '1', EXECUTOR_POOL_PYTHON: '0', EXECUTOR_MCP_SERVERS: serversFile };
  let own = await startService(dataDir, environment);
  try {
    const id = await begin(
      "console.log('größe 🦀');\nawait tools.notes.note({ text: 'x' });\nprocess.stdout.write('no line break');\nthrow new Error('end')",
      'typescript',
      own,
    );
    const live = bare(await (await follow(id, undefined, own)).ended);
    expect(live.at(-1)).toMatchObject({
      type: 'ended',
      data: { status: 'failed', error: { code: 'UNCAUGHT', message: expect.stringContaining('end') } },
    });
    const fromEach = async () => {
      for (let after = 0; after < live.length; after += 1) {
        expect(bare(await (await follow(id, after, own)).ended)).toEqual(live.slice(after));
      }
    };
    await fromEach();
    await own.stop();
    own = await startService(dataDir, environment);
    await fromEach();
    expect(bare(await (await follow(id, live.length, own)).ended)).toEqual([]);
  } finally {
    await own.stop();
  }
}, 120_000);

test('tool calls are told as they are answered, between the lines around them', async () => {
  const stream = await follow(
    await begin(
      "console.log('before');\nawait tools.notes.slow_note({ text: 'y', ms: 600 });\nconsole.log('after');\nawait (tools.notes as any).nothing({}).catch(() => 0)",
    ),
  );
  const events = await stream.ended;
  expect(events.slice(2, -1).map(({ type, data }) => [type, data.text ?? data.tool])).toEqual([
    ['output', 'before\n'],
    ['tool_call', 'notes.slow_note'],
    ['output', 'after\n'],
    ['tool_call', 'notes.nothing'],
  ]);
  expect(events[3]?.data).toMatchObject({ outcome: 'ok', durationMs: expect.any(Number) });
  expect(events[3]?.data.durationMs).toBeGreaterThan(590);
  expect((events[3]?.receivedMs ?? 0) - (events[2]?.receivedMs ?? 0)).toBeGreaterThan(150);
  expect(events[5]?.data).toMatchObject({ outcome: 'TOOL_NOT_FOUND' });
});

test('a reader who does not read does not slow the program down, and is told the truth when it reads on', async () => {
  const flood =
    "await new Promise((r) => setTimeout(r, 300));\nfor (let n = 0; n < 6_000; n++) console.log(n, 'x'.repeat(1_000));\nreturn 'done'";
  const timeOf = async (id: string): Promise<number> => {
    await expect
      .poll(async () => ((await service().get(`/executions/${id}`)).body as { status: string }).status, { timeout: 40_000 })
      .toBe('succeeded');
    return ((await service().get(`/executions/${id}`)).body as { executionTime: number }).executionTime;
  };
  const alone = await timeOf(await begin(flood));
  const id = await begin(flood);
  const readers = await Promise.all(Array.from({ length: 4 }, () => follow(id)));
  for (const reader of readers) reader.pause();
  // A program that waited for its readers would wait for as long as they do.
  expect(await timeOf(id)).toBeLessThan(alone * 5 + 3_000);

  const { output, droppedBytes } = (await service().get(`/executions/${id}`)).body as { output: string; droppedBytes: number };
  expect(droppedBytes).toBeGreaterThan(5_000_000);
  for (const reader of readers) {
    reader.resume();
    const events = await reader.ended;
    const ids = events.map((event) => event.id ?? 0);
    expect(ids).toEqual([...new Set(ids)].sort((left, right) => left - right));
    expect(events.at(-1)?.type).toBe('ended');
    // The start and the end are there; where something is missing, the ids leave a gap.
    const text = outputOf(events);
    expect(text.startsWith(output.slice(0, 60_000))).toBe(true);
    expect(text.endsWith(output.slice(-36_000))).toBe(true);
  }
}, 120_000);
