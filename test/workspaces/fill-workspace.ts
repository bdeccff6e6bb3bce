import { expect } from 'vitest';
import { hiddenFields, postForm } from '../mcp/consent.ts';
import { ask } from '../support/ask.ts';

/** One workspace of a service, with an object of every kind in it. */
export interface Filled {
  /** Part of every name in it, and of nothing elsewhere. */
  readonly tag: string;
  readonly workspaceId: string;
  /** Of its admin. */
  readonly key: string;
  readonly url: string;
  /** By first segment of the path. */
  readonly ids: Readonly<Record<string, string>>;
  /** The whole path, and what stands for the object in an answer. */
  readonly mcpSession: string;
  readonly accessToken: string;
  readonly hasSessions: boolean;
}

interface Answer {
  readonly executionId: string;
  readonly status: string;
  readonly result: unknown;
  readonly error: { readonly code: string; readonly message: string } | null;
  readonly approval: { readonly id: string } | null;
}

const documentOf = (title: string) =>
  JSON.stringify({
    openapi: '3.1.0',
    info: { title, version: '1' },
    components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
    security: [{ token: [] }],
    paths: {
      '/who': { get: { operationId: 'whoCalls', summary: `Who calls ${title}`, responses: { 200: { description: 'who' } } } },
      '/write': { post: { operationId: 'writeIt', responses: { 200: { description: 'done' } } } },
    },
  });

/** `key`: of its admin. `upstream`: an API that tells callers by their tokens. */
export async function fillWorkspace(
  tag: string,
  at: { readonly url: string; readonly key: string; readonly workspaceId: string },
  upstream: string,
  { hasSessions }: { readonly hasSessions: boolean },
): Promise<Filled> {
  const { url, key, workspaceId } = at;
  const make = async <Made>(method: string, path: string, body?: unknown, status = 201): Promise<Made> => {
    const reply = await ask({ url, key }, method, path, body === undefined ? {} : { body });
    expect(reply.status, `${method} ${path}: ${reply.text}`).toBe(status);
    return reply.json() as Made;
  };
  const run = (code: string, more: object = {}) =>
    make<Answer>('POST', '/execute', { language: 'typescript', code, timeoutMs: 60_000, ...more }, 200);

  const agent = await make<{ id: string }>('POST', '/keys', { name: `${tag}-agent`, role: 'agent' });
  for (const slug of ['shared', `${tag}-notes`])
    await make('POST', '/integrations', { slug, kind: 'openapi', document: documentOf(`${slug} of ${tag}`), baseUrl: upstream });
  const connection = await make<{ id: string }>('POST', '/connections', {
    integration: 'shared',
    name: 'main',
    owner: 'workspace',
    auth: { type: 'bearer', token: `credential-of-${tag}` },
  });
  const policy = await make<{ id: string }>('POST', '/policies', { pattern: `${tag}-notes.whoCalls`, action: 'allow', note: tag });
  await make('POST', '/skills', {
    name: `${tag}_sum`,
    language: 'typescript',
    description: `Adds up for ${tag}`,
    code: `return '${tag}'`,
    parameters: { type: 'object', properties: {} },
  });
  const left = hasSessions
    ? {
        code: `await Bun.write('/workspace/artifacts/left.txt', '${tag}'); console.log('${tag}'); return '${tag}'`,
        sessionId: `${tag}-session`,
      }
    : { code: `console.log('${tag}'); return '${tag}'` };
  const { code, ...more } = left;
  const execution = await run(code, more);
  expect(execution, JSON.stringify(execution)).toMatchObject({ status: 'succeeded', result: tag });
  const paused = await run(`return await tools['${tag}-notes'].writeIt({})`);
  expect(paused, JSON.stringify(paused)).toMatchObject({ status: 'paused' });
  const handoff = await handoffOf(tag, run, make);
  const { accessToken, grantId } = await loginOf(at);
  const mcp = await ask({ url, key }, 'POST', '/mcp', {
    headers: { accept: 'application/json, text/event-stream' },
    body: {
      jsonrpc: '2.0',
      id: 1,
      method: 'initialize',
      params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'test', version: '1' } },
    },
  });
  expect(mcp.status, mcp.text).toBe(200);
  return {
    tag,
    workspaceId,
    key,
    url,
    hasSessions,
    accessToken,
    mcpSession: String(mcp.headers['mcp-session-id']),
    ids: {
      keys: agent.id,
      integrations: `${tag}-notes`,
      connections: connection.id,
      policies: policy.id,
      skills: `${tag}_sum`,
      executions: execution.executionId,
      paused: paused.executionId,
      approvals: paused.approval?.id ?? '',
      sessions: `${tag}-session`,
      handoffs: handoff,
      oauth: grantId,
      workspaces: workspaceId,
    },
  };
}

type Make = <Made>(method: string, path: string, body?: unknown, status?: number) => Promise<Made>;

/** As an agent asks for it, with the admin's yes. */
async function handoffOf(tag: string, run: (code: string) => Promise<Answer>, make: Make): Promise<string> {
  const wanted = { integration: 'shared', name: `${tag}-other`, auth: { type: 'bearer' } };
  const asked = await run(`return await tools.executor['connections.createHandoff'](${JSON.stringify(wanted)})`);
  expect(asked, JSON.stringify(asked)).toMatchObject({ status: 'paused' });
  await make('POST', `/approvals/${asked.approval?.id}`, { decision: 'approve' }, 200);
  const made = await make<Answer>('POST', `/executions/${asked.executionId}/resume`, { wait: true }, 200);
  expect(made, JSON.stringify(made)).toMatchObject({ status: 'succeeded' });
  return (made.result as { url: string }).url.split('/').at(-1) ?? '';
}

/** A command line that is logged in with the admin's consent. */
async function loginOf(at: { readonly url: string; readonly key: string }): Promise<{ accessToken: string; grantId: string }> {
  const client = { client_id: 'executor-cli' };
  const device = (await postForm(at, '/oauth/device_authorization', { ...client, scope: 'agent' })).json() as Record<string, string>;
  const page = await ask(at, 'GET', `/oauth/device?user_code=${device.user_code}`, { key: null });
  const cookie = String(page.headers['set-cookie']).split(';', 1)[0] ?? '';
  const consent = { ...hiddenFields(page.text), key: at.key, decision: 'approve', role: 'agent' };
  expect((await postForm(at, '/oauth/device', consent, { cookie })).status).toBe(200);
  const grant = { ...client, grant_type: 'urn:ietf:params:oauth:grant-type:device_code', device_code: device.device_code ?? '' };
  const token = await postForm(at, '/oauth/token', grant);
  expect(token.status, token.text).toBe(200);
  const grants = (await ask(at, 'GET', '/oauth/grants')).json() as { items: { id: string }[] };
  return { accessToken: (token.json() as { access_token: string }).access_token, grantId: grants.items[0]?.id ?? '' };
}
