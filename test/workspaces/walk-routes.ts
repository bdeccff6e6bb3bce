import { expect } from 'vitest';
import { ask, type Reply } from '../support/ask.ts';
import type { Filled } from './fill-workspace.ts';

/** What is sent to a route that names something, so that the name alone can be what is wrong. */
const BODIES: Readonly<Record<string, unknown>> = {
  'POST /executions/{id}/resume': { decision: 'approve' },
  'PUT /sessions/{id}/files/{*}': 'text',
  'POST /tools/invoke/{server}/{tool}': {},
  'PATCH /connections/{id}': { default: true },
  'POST /connections/{id}/oauth/start': {},
  'PATCH /policies/{id}': { action: 'block' },
  'POST /approvals/{id}': { decision: 'approve' },
  'POST /connections/handoffs/{id}': { values: { token: 'stolen' } },
  'PATCH /workspaces/{id}': { name: 'stolen' },
  'POST /workspaces/{id}/keys': { name: 'stolen' },
  'POST /integrations/{slug}/refresh': {},
};

/** Routes that an admin of another workspace is refused whatever they name, so that nothing is told by it. */
const OPERATOR_ONLY = ['DELETE /workspaces/{id}', 'POST /workspaces/{id}/keys'];
/** For the operator these are other people's to see by right. */
const OPERATOR_MAY = /^\w+ \/workspaces/;

/** Of all that changes or tells something by a name: nothing of `owner` may be found with the key of `other`, nor be told from nothing. */
export async function walkNamed(routes: readonly string[], owner: Filled, other: Filled): Promise<void> {
  const isOperator = other.workspaceId === 'wsp_default';
  for (const route of routes) {
    if (!route.includes('{') || (isOperator && OPERATOR_MAY.test(route))) continue;
    if (route.includes('/sessions/') && !owner.hasSessions) continue;
    const theirs = idsFor(route, owner);
    const found = await knock(route, theirs, other);
    const unknown = await knock(route, theirs.map(unknownLike), other);
    expect([route, shapeOf(found, theirs)]).toEqual([route, shapeOf(unknown, theirs.map(unknownLike))]);
    expect([route, found.status], found.text).toEqual([route, OPERATOR_ONLY.includes(route) ? 403 : 404]);
  }
}

/** Whatever lists something lists nothing of `owner` to `other`; and to its owner it does, or the test would prove nothing. */
export async function walkLists(routes: readonly string[], owner: Filled, other: Filled): Promise<void> {
  const isOperator = other.workspaceId === 'wsp_default';
  // What the operator makes is in the operator's own record.
  const hidden = isOperator ? { ...owner.ids, workspaces: '' } : owner.ids;
  const marks = [owner.tag, ...Object.values(hidden)].filter((mark) => mark !== '' && mark !== 'wsp_default');
  const seenByOwner: string[] = [];
  for (const route of routes) {
    if (!route.startsWith('GET ') || route.includes('{') || route === 'GET /oauth/callback') continue;
    if (isOperator && OPERATOR_MAY.test(route)) continue;
    for (const path of listsOf(route, owner)) {
      const shown = await ask(other, 'GET', path);
      for (const mark of marks) expect([path, shown.text.includes(mark), mark]).toEqual([path, false, mark]);
      expect([path, [200, 403].includes(shown.status)], shown.text).toEqual([path, true]);
      const own = await ask(owner, 'GET', path);
      if (own.status === 200 && marks.some((mark) => own.text.includes(mark))) seenByOwner.push(route);
    }
  }
  expect(seenByOwner).toEqual(expect.arrayContaining(SHOWN_TO_OWNERS.filter((route) => owner.hasSessions || !route.endsWith('/sessions'))));
}

const SHOWN_TO_OWNERS = [
  ...[
    'executions',
    'executions/export',
    'sessions',
    'tools',
    'tools/search',
    'tools/export/openapi',
    'skills',
    'integrations',
    'connections',
  ],
  ...['policies', 'audit', 'audit/export', 'approvals', 'keys', 'oauth/grants', 'health'],
].map((path) => `GET /${path}`);

function listsOf(route: string, { tag }: Filled): string[] {
  const path = route.slice('GET '.length);
  if (path === '/tools/search') return [`${path}?q=${tag}`, `${path}?q=&detail=full&limit=100`, `${path}?q=who%20calls&detail=description`];
  if (path === '/policies') return [path, `${path}?derived=true`];
  if (path === '/audit') return [path, `${path}?limit=1000`];
  return [path];
}

/** What stands for the parts of the path that are in braces, in their order. */
function idsFor(route: string, { tag, ids }: Filled): string[] {
  const [, path = ''] = route.split(' ');
  const first = path.startsWith('/connections/handoffs/') ? 'handoffs' : (path.split('/')[1] ?? '');
  const named = path.endsWith('/cancel') || path.endsWith('/resume') ? ids.paused : ids[first];
  if (first === 'tools') return [`${tag}-notes`, 'whoCalls'];
  expect(named, `${route}: an object of its kind is missing from fill-workspace.ts`).toBeTruthy();
  return [named ?? '', ...(path.includes('{*}') ? ['left.txt'] : [])];
}

/** Of the same form, and nobody's. */
const unknownLike = (id: string): string => {
  const [, prefix] = /^(\w{3,5}_)[0-9a-z]{20,}$/.exec(id) ?? [];
  if (prefix !== undefined) return `${prefix}${'0'.repeat(id.length - prefix.length)}`;
  return id === 'whoCalls' || id === 'left.txt' ? id : id.replace(/^[a-z]+/, 'zzyzx');
};

function knock(route: string, ids: readonly string[], { url, key }: Filled): Promise<Reply> {
  const [method = '', template = ''] = route.split(' ');
  const rest = [...ids];
  const path = template.replaceAll(/\{[^}]+\}/g, () => encodeURIComponent(rest.shift() ?? ''));
  const body = BODIES[route];
  const signal = AbortSignal.timeout(30_000);
  if (typeof body === 'string')
    return ask({ url, key }, method, path, { raw: body, headers: { 'content-type': 'application/octet-stream' }, signal });
  return ask({ url, key }, method, path, { ...(body === undefined ? {} : { body }), signal });
}

/** Status, code and message with the names taken out, and which fields there are. */
function shapeOf(reply: Reply, ids: readonly string[]): unknown {
  const { error } = reply.json() as { error: { code: string; message: string; details?: unknown } };
  const message = ids.reduce((text, id) => text.replaceAll(id, 'NAME'), error.message);
  return [reply.status, error.code, message, Object.keys(error).sort(), Object.keys((error.details ?? {}) as object).sort()];
}
