import type { ExecutorClient } from '@code-executor/sdk';

/** How the SDK reaches one operation of `/openapi.json`. */
export interface SdkOperation {
  /** The method, such as `keys.list`. */
  readonly method: string;
  readonly call: (client: ExecutorClient) => unknown;
  /** TypeScript for what the method takes as body and query. */
  readonly body?: string;
  readonly query?: string;
  /** Members of body or query that the SDK fills in by itself. */
  readonly own?: readonly string[];
  /** It answers bytes, which the document can only call a string. */
  readonly isRaw?: true;
}

/** An iterator's first step sends its request. */
const first = (items: AsyncIterator<unknown>): Promise<unknown> => items.next();

/** By `METHOD /path/{parameter}`. A new route of the service needs a line here, and a method in the SDK. */
export const SDK_OPERATIONS: Readonly<Record<string, SdkOperation>> = {
  'POST /execute': {
    method: 'execute',
    call: (client) => client.execute('1'),
    body: "Extract<Parameters<C['execute']>[0], object>",
    own: ['wait'],
  },
  'GET /executions': {
    method: 'executions.list',
    call: (client) => client.executions.list({ limit: 1 }),
    query: "NonNullable<Parameters<C['executions']['list']>[0]>",
  },
  'DELETE /executions': { method: 'executions.purge', call: (client) => client.executions.purge('2026-01-01T00:00:00Z') },
  'GET /executions/export': {
    method: 'executions.export',
    call: (client) => first(client.executions.export({ status: 'failed' })),
    query: "NonNullable<Parameters<C['executions']['export']>[0]>",
  },
  'GET /executions/{id}': { method: 'executions.get', call: (client) => client.executions.get('exe_1') },
  'POST /executions/{id}/cancel': { method: 'executions.cancel', call: (client) => client.executions.cancel('exe_1') },
  'POST /executions/{id}/resume': {
    method: 'executions.resume',
    call: (client) => client.executions.resume('exe_1', { decision: 'approve' }),
    body: "NonNullable<Parameters<C['executions']['resume']>[1]>",
  },
  'GET /executions/{id}/events': { method: 'executions.events', call: (client) => first(client.executions.events('exe_1')) },
  'GET /executions/{id}/artifacts': { method: 'executions.artifacts', call: (client) => client.executions.artifacts('exe_1') },
  'GET /executions/{id}/artifacts/{*}': {
    method: 'executions.artifact',
    isRaw: true,
    call: (client) => client.executions.artifact('exe_1', 'a/b c.txt'),
  },
  'GET /sessions': { method: 'sessions.list', call: (client) => client.sessions.list() },
  'DELETE /sessions/{id}': { method: 'sessions.end', call: (client) => client.sessions.end('s') },
  'GET /sessions/{id}/files': { method: 'sessions.files', call: (client) => client.sessions.files('s') },
  'GET /sessions/{id}/files/{*}': { method: 'sessions.download', isRaw: true, call: (client) => client.sessions.download('s', 'a/b.txt') },
  'PUT /sessions/{id}/files/{*}': { method: 'sessions.upload', call: (client) => client.sessions.upload('s', 'a/b.txt', 'x') },
  'GET /tools': {
    method: 'tools.list',
    call: (client) => client.tools.list({ server: 's' }),
    query: "NonNullable<Parameters<C['tools']['list']>[0]>",
  },
  'GET /tools/search': {
    method: 'tools.search',
    call: (client) => client.tools.search({ q: 'x' }),
    query: "Extract<Parameters<C['tools']['search']>[0], object>",
  },
  'GET /tools/info/{server}/{tool}': { method: 'tools.info', call: (client) => client.tools.info('s', 'a.b') },
  'POST /tools/invoke/{server}/{tool}': { method: 'tools.invoke', call: (client) => client.tools.invoke('s', 't', { a: 1 }) },
  'GET /tools/export/openapi': {
    method: 'tools.openapi',
    call: (client) => client.tools.openapi({ server: 's' }),
    query: "NonNullable<Parameters<C['tools']['openapi']>[0]>",
  },
  'GET /integrations': { method: 'integrations.list', call: (client) => client.integrations.list() },
  'POST /integrations': {
    method: 'integrations.add',
    call: (client) => client.integrations.add({ slug: 's', url: 'https://example.com/openapi.json' }),
    body: "Parameters<C['integrations']['add']>[0]",
  },
  'POST /integrations/detect': { method: 'integrations.detect', call: (client) => client.integrations.detect('https://example.com') },
  'GET /integrations/{slug}': { method: 'integrations.get', call: (client) => client.integrations.get('s') },
  'DELETE /integrations/{slug}': { method: 'integrations.remove', call: (client) => client.integrations.remove('s') },
  'POST /integrations/{slug}/refresh': {
    method: 'integrations.refresh',
    call: (client) => client.integrations.refresh('s'),
    body: "NonNullable<Parameters<C['integrations']['refresh']>[1]>",
  },
  'GET /connections': {
    method: 'connections.list',
    call: (client) => client.connections.list({ integration: 's' }),
    query: "NonNullable<Parameters<C['connections']['list']>[0]>",
  },
  'POST /connections': {
    method: 'connections.add',
    call: (client) => client.connections.add({ integration: 's', name: 'n', owner: 'workspace', auth: { type: 'bearer', token: 't' } }),
    body: "Parameters<C['connections']['add']>[0]",
  },
  'GET /connections/{id}': { method: 'connections.get', call: (client) => client.connections.get('con_1') },
  'PATCH /connections/{id}': {
    method: 'connections.change',
    call: (client) => client.connections.change('con_1', { default: true }),
    body: "Parameters<C['connections']['change']>[1]",
  },
  'DELETE /connections/{id}': { method: 'connections.remove', call: (client) => client.connections.remove('con_1') },
  'POST /connections/{id}/validate': { method: 'connections.validate', call: (client) => client.connections.validate('con_1') },
  'POST /connections/{id}/oauth/start': { method: 'connections.authorize', call: (client) => client.connections.authorize('con_1') },
  'GET /providers': { method: 'providers.list', call: (client) => client.providers.list() },
  'POST /providers/sealed/rotate': {
    method: 'providers.rotate',
    call: (client) => client.providers.rotate({ newKey: true }),
    body: "NonNullable<Parameters<C['providers']['rotate']>[0]>",
  },
  'GET /skills': {
    method: 'skills.list',
    call: (client) => client.skills.list({ limit: 1, cursor: 'c' }),
    query: "NonNullable<Parameters<C['skills']['list']>[0]>",
  },
  'GET /skills/{name}': {
    method: 'skills.get',
    call: (client) => client.skills.get('s', { version: 1 }),
    query: "NonNullable<Parameters<C['skills']['get']>[1]>",
  },
  'POST /skills': {
    method: 'skills.save',
    call: (client) => client.skills.save({ name: 's', description: 'd', language: 'python', code: '1', parameters: {} }),
    body: "Parameters<C['skills']['save']>[0]",
  },
  'DELETE /skills/{name}': { method: 'skills.remove', call: (client) => client.skills.remove('s') },
  'GET /policies': {
    method: 'policies.list',
    call: (client) => client.policies.list({ derived: true }),
    query: "NonNullable<Parameters<C['policies']['list']>[0]>",
  },
  'POST /policies': {
    method: 'policies.add',
    call: (client) => client.policies.add({ pattern: '*', action: 'block' }),
    body: "Parameters<C['policies']['add']>[0]",
  },
  'POST /policies/preview': {
    method: 'policies.preview',
    call: (client) => client.policies.preview({ tool: 's.t' }),
    body: "Parameters<C['policies']['preview']>[0]",
  },
  'PATCH /policies/{id}': {
    method: 'policies.change',
    call: (client) => client.policies.change('pol_1', { note: null }),
    body: "Parameters<C['policies']['change']>[1]",
  },
  'DELETE /policies/{id}': { method: 'policies.remove', call: (client) => client.policies.remove('pol_1') },
  'GET /approvals': {
    method: 'approvals.list',
    call: (client) => client.approvals.list({ status: 'pending' }),
    query: "NonNullable<Parameters<C['approvals']['list']>[0]>",
  },
  'GET /approvals/{id}': { method: 'approvals.get', call: (client) => client.approvals.get('apr_1') },
  'POST /approvals/{id}': {
    method: 'approvals.decide',
    call: (client) => client.approvals.decide('apr_1', { decision: 'deny' }),
    body: "Parameters<C['approvals']['decide']>[1]",
  },
  'GET /audit': {
    method: 'audit.list',
    call: (client) => client.audit.list({ limit: 1 }),
    query: "NonNullable<Parameters<C['audit']['list']>[0]>",
  },
  'GET /audit/export': {
    method: 'audit.export',
    call: (client) => first(client.audit.export({ type: 'policy' })),
    query: "NonNullable<Parameters<C['audit']['export']>[0]>",
  },
  'GET /audit/verify': { method: 'audit.verify', call: (client) => client.audit.verify() },
  'GET /keys': { method: 'keys.list', call: (client) => client.keys.list() },
  'POST /keys': {
    method: 'keys.create',
    call: (client) => client.keys.create({ name: 'n', role: 'agent' }),
    body: "Parameters<C['keys']['create']>[0]",
  },
  'DELETE /keys/{id}': { method: 'keys.revoke', call: (client) => client.keys.revoke('key_1') },
  'GET /workspaces': { method: 'workspaces.list', call: (client) => client.workspaces.list() },
  'POST /workspaces': {
    method: 'workspaces.create',
    call: (client) => client.workspaces.create({ name: 'w' }),
    body: "Parameters<C['workspaces']['create']>[0]",
  },
  'GET /workspaces/{id}': { method: 'workspaces.get', call: (client) => client.workspaces.get('wsp_1') },
  'PATCH /workspaces/{id}': {
    method: 'workspaces.rename',
    call: (client) => client.workspaces.rename('wsp_1', { name: 'w' }),
    body: "Parameters<C['workspaces']['rename']>[1]",
  },
  'POST /workspaces/{id}/keys': {
    method: 'workspaces.createKey',
    call: (client) => client.workspaces.createKey('wsp_1', { name: 'k' }),
    body: "Parameters<C['workspaces']['createKey']>[1]",
  },
  'DELETE /workspaces/{id}': {
    method: 'workspaces.remove',
    call: (client) => client.workspaces.remove('wsp_1', { everything: true }),
    query: "NonNullable<Parameters<C['workspaces']['remove']>[1]>",
  },
  'GET /health': { method: 'health', call: (client) => client.health() },
  'GET /health/ready': { method: 'ready', call: (client) => client.ready() },
  'GET /whoami': { method: 'whoami', call: (client) => client.whoami() },
  'GET /metrics': { method: 'metrics', call: (client) => client.metrics() },
};

/** Methods that are made of others, or reach what `/openapi.json` does not list. */
export const COMPOSED = [
  'request',
  'submit',
  'stream',
  'openapi',
  'executions.each',
  'executions.wait',
  'tools.each',
  'connections.each',
  'approvals.each',
];

/** Operations for browsers and MCP clients, which an SDK has no use for. */
export const NOT_FOR_SDK = /^[A-Z]+ \/(oauth|mcp|\.well-known|connections\/handoffs)(\/|$)/;
