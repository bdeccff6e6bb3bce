import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AskOptions, makeKey, ask as request } from './support/ask.ts';
import { recordingServer } from './support/recording-entry.ts';
import { type Service, startService } from './support/start-service.ts';

let directory: string;
let service: Service;
let agent: string;
let operator: string;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'skills-'));
  mkdirSync(join(directory, 'data'));
  const servers = { notes: recordingServer(join(directory, 'notes'), { trust: true }) };
  writeFileSync(join(directory, 'data', 'mcp-servers.json'), JSON.stringify({ mcpServers: servers }));
  service = await startService(join(directory, 'data'), { EXECUTOR_SHIPPED_SKILLS: 'true' });
  agent = (await makeKey(service, 'agent')).key;
  operator = (await makeKey(service, 'operator')).key;
}, 150_000);

afterAll(async () => {
  await service?.stop();
  rmSync(directory, { recursive: true, force: true });
});

const ask = async (to: Service, method: string, path: string, options: AskOptions = {}) => {
  const reply = await request(to, method, path, options);
  return { status: reply.status, body: reply.text === '' ? null : reply.json() };
};

const ADD = {
  name: 'add_up',
  description: 'Adds up a list of numbers',
  language: 'typescript',
  code: 'const { numbers } = args;\nlet sum = 0;\nfor (const n of numbers) sum += n;\nawait null;\nreturn sum;',
  parameters: {
    type: 'object',
    properties: { numbers: { type: 'array', items: { type: 'number' } } },
    required: ['numbers'],
    additionalProperties: false,
  },
};

const save = (skill: object, key = operator) => ask(service, 'POST', '/skills', { key, body: skill });
const run = async (language: string, code: string, more: object = {}) =>
  (await ask(service, 'POST', '/execute', { key: agent, body: { language, code, ...more } })).body as {
    status: string;
    result: unknown;
    error: { code: string; message: string } | null;
  };
const invoke = (name: string, args: object, key = agent) => ask(service, 'POST', `/tools/invoke/skills/${name}`, { key, body: { args } });

describe('a saved skill', () => {
  beforeAll(async () => {
    expect(await save(ADD)).toMatchObject({ status: 201, body: { name: 'add_up', version: 1, origin: 'api', versions: [1] } });
    const python = {
      name: 'shout',
      description: 'Says a text aloud',
      language: 'python',
      code: 'text = args["text"]\nreturn text.upper()',
    };
    expect((await save({ ...python, parameters: { properties: { text: { type: 'string' } }, required: ['text'] } })).status).toBe(201);
  });

  test.each(['.js', '.ts', ''])('is imported in TypeScript with the ending "%s"', async (ending) => {
    const answer = await run(
      'typescript',
      `import { add_up } from '/workspace/skills/add_up${ending}';\nreturn await add_up({ numbers: [1, 2, 3] });`,
    );
    expect(answer).toMatchObject({ status: 'succeeded', result: 6 });
  });

  test.each([
    ['typescript', "const { add_up } = await import('/workspace/skills/add_up.js'); await add_up({ numbers: [4] })"],
    ['typescript', "import { add_up } from '/workspace/servers/skills/index.ts'; await add_up({ numbers: [4] })"],
    ['typescript', 'await tools.skills.add_up({ numbers: [4] })'],
    ['node', "import { add_up } from '/workspace/skills/add_up.js'; await add_up({ numbers: [4] })"],
  ])('is reached in %s by: %s', async (language, code) => {
    expect(await run(language, code)).toMatchObject({ status: 'succeeded', result: 4 });
  });

  test.each([
    'from skills import shout\nshout(text="a")',
    'from servers.skills import shout\nshout("a")',
    'import skills\nskills.shout(text="a")',
    'tools.skills.shout(text="a")',
    'from servers.aio.skills import shout\nreturn await shout(text="a")',
  ])('is reached in Python by: %s', async (code) => {
    expect(await run('python', code)).toMatchObject({ status: 'succeeded', result: 'A' });
  });

  test('says by which language it can be imported, and is invoked from any', async () => {
    const foreign = await run('typescript', "import { shout } from '/workspace/skills/shout.js'; await shout({ text: 'a' })");
    expect(foreign).toMatchObject({ status: 'failed', error: { message: expect.stringContaining('written in Python') } });
    expect(await run('python', 'from skills import add_up\nadd_up(numbers=[1])')).toMatchObject({
      status: 'failed',
      error: { message: expect.stringContaining('POST /tools/invoke/skills/add_up') },
    });
    expect(await invoke('shout', { text: 'b' })).toMatchObject({ status: 200, body: { tool: 'skills.shout', result: 'B' } });
    expect(await invoke('add_up', { numbers: [1, 2] })).toMatchObject({ status: 200, body: { result: 3 } });
  });

  test('has its arguments checked against its parameters', async () => {
    const wrong = { code: 'INVALID_ARGUMENTS', message: expect.stringContaining('numbers') };
    expect(await invoke('add_up', { numbers: 'one' })).toMatchObject({ status: 400, body: { error: wrong } });
    const answer = await run(
      'typescript',
      "import { add_up } from '/workspace/skills/add_up.js';\nawait add_up({ numbers: ['a'] }).catch((e) => e.code)",
    );
    expect(answer.result).toBe('INVALID_ARGUMENTS');
  });

  test('is found by search at every level of detail', async () => {
    const find = async (detail: string) =>
      (await ask(service, 'GET', `/tools/search?q=adds+up+numbers&server=skills&detail=${detail}`, { key: agent })).body;
    expect(await find('name')).toMatchObject({ items: { skills: expect.arrayContaining(['add_up']) } });
    expect(await find('description')).toMatchObject({ items: { skills: { add_up: 'Adds up a list of numbers' } } });
    const full = (await find('full')) as { items: { name: string; inputSchema: unknown; wrapper: { source: string } }[] };
    const info = full.items.find(({ name }) => name === 'add_up');
    expect(info).toMatchObject({ inputSchema: ADD.parameters, wrapper: { source: expect.stringContaining('sum += n') } });
  });

  test('is blocked by a policy like any tool', async () => {
    const policy = (await service.post('/policies', { pattern: 'skills.shout', action: 'block' })).body as { id: string };
    expect((await invoke('shout', { text: 'b' })).body).toMatchObject({ error: { code: 'TOOL_BLOCKED' } });
    await ask(service, 'DELETE', `/policies/${policy.id}`, { key: service.key });
    expect((await invoke('shout', { text: 'b' })).status).toBe(200);
  });

  test('waits for a person where a policy wants one', async () => {
    const policy = (await service.post('/policies', { pattern: 'skills.add_up', action: 'require_approval' })).body as { id: string };
    const paused = (await invoke('add_up', { numbers: [5] })) as {
      status: number;
      body: { executionId: string; approval: { id: string } };
    };
    expect(paused.status).toBe(202);
    await ask(service, 'POST', `/approvals/${paused.body.approval.id}`, { key: operator, body: { decision: 'approve' } });
    const resumed = await ask(service, 'POST', `/executions/${paused.body.executionId}/resume`, { key: agent, body: {} });
    expect(resumed.body).toMatchObject({ status: 'succeeded', result: { value: 5 } });
    await ask(service, 'DELETE', `/policies/${policy.id}`, { key: service.key });
  });

  test('calls tools and other skills with the rights of its caller', async () => {
    const code =
      "import { add_up } from '/workspace/skills/add_up.js';\nexport default async ({ n }: { n: number }) => add_up({ numbers: [n, n] });";
    expect((await save({ name: 'double', description: 'Twice a number', language: 'typescript', code })).status).toBe(201);
    expect(await invoke('double', { n: 21 })).toMatchObject({ status: 200, body: { result: 42 } });
  });
});

describe('what is refused', () => {
  test.each([
    ['typescript', 'const a = 1;\nconst b = ;', 2, 11],
    ['python', 'a = 1\nb = = 2', 2, 5],
  ])('code of %s that does not parse, with its place', async (language, code, line, column) => {
    const answer = await save({ name: 'broken', description: 'x', language, code });
    expect(answer).toMatchObject({ status: 400, body: { error: { code: 'SKILL_INVALID', details: { line, column } } } });
    expect((await ask(service, 'GET', '/skills/broken', { key: agent })).status).toBe(404);
  });

  test.each(['Upper', '../etc', 'a-b', '1a', 'x'.repeat(65), '__proto__', ''])('the name %s', async (name) => {
    expect((await save({ ...ADD, name })).status).toBe(400);
  });

  test.each(['class', 'then', 'import', 'index'])('the name %s, which is a word of a language', async (name) => {
    expect(await save({ ...ADD, name })).toMatchObject({ status: 400, body: { error: { code: 'SKILL_INVALID' } } });
  });

  test('code over 256 KB, and a relative import', async () => {
    expect((await save({ ...ADD, name: 'large', code: `// ${'x'.repeat(256 * 1024)}` })).status).toBe(400);
    const relative = await save({ ...ADD, name: 'beside', code: "import { a } from './a.ts';\nreturn a" });
    expect(relative.body).toMatchObject({ error: { code: 'SKILL_INVALID', message: expect.stringContaining('/workspace/servers/') } });
  });

  test('an agent that saves or removes', async () => {
    expect(await save(ADD, agent)).toMatchObject({ status: 403 });
    expect(await ask(service, 'DELETE', '/skills/add_up', { key: agent })).toMatchObject({ status: 403 });
  });

  test('an integration that is called skills', async () => {
    const answer = await service.post('/integrations', { slug: 'skills', kind: 'mcp', command: '/bin/true' });
    expect(answer).toMatchObject({ status: 400, body: { error: { code: 'INTEGRATION_INVALID' } } });
  });

  test('a description that would leave its comment stays prose', async () => {
    const description = '*/ throw new Error("escaped"); /* """\nraise ValueError';
    expect((await save({ name: 'sly', description, language: 'typescript', code: 'return 7' })).status).toBe(201);
    expect(await run('typescript', "import { sly } from '/workspace/skills/sly.js'; await sly()")).toMatchObject({ result: 7 });
    expect((await run('python', 'from skills import sly\n1')).result).toBe(1);
  });
});

describe('versions', () => {
  test('a new one is what later programs import; one that runs keeps what it began with, and a restart keeps all', async () => {
    const skill = { name: 'answer', description: 'Answers', language: 'typescript', code: 'return 1' };
    await save(skill);
    const code =
      "import { answer } from '/workspace/skills/answer.js';\nawait new Promise((resolve) => setTimeout(resolve, 4_000));\nreturn await answer()";
    const running = run('typescript', code, { timeoutMs: 60_000 });
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    expect((await save({ ...skill, code: 'return 2' })).body).toMatchObject({ version: 2, versions: [2, 1] });
    expect(await run('typescript', "import { answer } from '/workspace/skills/answer.js'; await answer()")).toMatchObject({ result: 2 });
    expect(await running).toMatchObject({ status: 'succeeded', result: 1 });
    expect((await ask(service, 'GET', '/skills/answer?version=1', { key: agent })).body).toMatchObject({ version: 1, code: 'return 1' });
    await ask(service, 'DELETE', '/skills/map_tool', { key: operator });

    await service.stop();
    service = await startService(join(directory, 'data'), { EXECUTOR_SHIPPED_SKILLS: 'true' });
    expect(await invoke('answer', {})).toMatchObject({ status: 200, body: { result: 2 } });
    expect((await ask(service, 'GET', '/skills/map_tool', { key: agent })).status).toBe(404);
    expect((await ask(service, 'DELETE', '/skills/answer', { key: operator })).status).toBe(204);
    expect((await invoke('answer', {})).status).toBe(404);
  }, 120_000);
});
