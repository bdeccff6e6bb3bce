import { existsSync, readFileSync } from 'node:fs';
import type { Principal } from '@code-executor/contracts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type NotesApi, notesDocument, startNotesApi } from '../../../test/sources/support/notes-api.ts';
import { dockerAnswers } from '../../../test/support/containers.ts';
import { documentFixtures } from '../../../test/support/document-fixtures.ts';
import { openTestFleet, type TestFleet, type TestProxy } from './testing/open-test-fleet.ts';

const reachable = await dockerAnswers();
const ADMIN: Principal = { id: 'key_test', workspaceId: 'wsp_default', role: 'admin' };
const NEVER = new AbortController().signal;
const LARGE = `${documentFixtures()}/openapi/github-rest.json`;
const encode = (document: unknown) => new TextEncoder().encode(typeof document === 'string' ? document : JSON.stringify(document));

describe.skipIf(!reachable)(`documents in the fleet${reachable ? '' : ' (skipped: no Docker engine answers)'}`, () => {
  let fleet: TestFleet;
  let api: NotesApi;
  let first: TestProxy;
  let second: TestProxy;
  beforeAll(async () => {
    api = await startNotesApi();
    fleet = await openTestFleet({});
    first = await fleet.startProxy();
    second = await fleet.startProxy();
  });
  afterAll(async () => {
    await fleet?.close();
    await api?.close();
  });

  test('are added through one proxy, called through another, and read anew for both', async () => {
    const there = fleet.administration(first.url);
    const here = fleet.administration(second.url);
    const document = encode(notesDocument());
    const added = await there.addIntegration(ADMIN, { slug: 'notes', document, baseUrl: api.origin, trust: true });
    expect(added).toMatchObject({ kind: 'openapi', toolCount: 6, document: { baseUrl: api.origin } });
    await expect
      .poll(async () => (await here.listIntegrations(ADMIN)).map(({ slug, toolCount }) => [slug, toolCount]))
      .toEqual([['notes', 6]]);
    expect(await here.invoke(ADMIN, 'notes', 'addNote', { body: { text: 'hi' } }, NEVER)).toMatchObject({
      ok: true,
      value: { method: 'POST', path: '/notes' },
    });
    const { execution, grantForTools } = await fleet.claim(second.url);
    const call = { callNumber: 1, tool: 'notes.getNote', args: { id: '1' } };
    expect(await fleet.tools(second.url).callTool(grantForTools, call, NEVER)).toMatchObject({
      reply: { ok: true, value: { path: '/notes/1' }, meta: { status: 200, links: { next: expect.stringContaining('page=2') } } },
      effects: 'some',
    });
    expect(execution.id).toMatch(/^exe_/);

    const { paths, ...rest } = notesDocument();
    const smaller = { ...rest, paths: { '/notes': paths['/notes'] } };
    expect(await there.refreshIntegration(ADMIN, 'notes', { document: encode(smaller), baseUrl: `${api.origin}/v2` })).toMatchObject({
      toolCount: 1,
      removed: expect.arrayContaining(['getNote', 'whoAmI']),
    });
    await expect.poll(async () => (await here.getIntegration(ADMIN, 'notes')).document?.baseUrl).toBe(`${api.origin}/v2`);
    await expect.poll(async () => (await here.getIntegration(ADMIN, 'notes')).toolCount).toBe(1);
    expect(await here.invoke(ADMIN, 'notes', 'addNote', { body: { text: 'hi' } }, NEVER)).toMatchObject({
      ok: true,
      value: { path: '/v2/notes' },
    });

    await here.removeIntegration(ADMIN, 'notes');
    await expect.poll(async () => await there.listIntegrations(ADMIN)).toEqual([]);
  });

  test('that are wrong say so as they do in one process, and a slug is given once', async () => {
    const there = fleet.administration(first.url);
    const here = fleet.administration(second.url);
    await expect(there.addIntegration(ADMIN, { slug: 'wrong', document: encode('openapi: 3.0.0\n bad: y\n') })).rejects.toMatchObject({
      code: 'INTEGRATION_INVALID',
      message: expect.stringMatching(/line [12]/),
    });
    const add = (administration: typeof there) =>
      administration.addIntegration(ADMIN, { slug: 'once', document: encode(notesDocument()), baseUrl: api.origin });
    const both = await Promise.allSettled([add(there), add(here)]);
    expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(both.find(({ status }) => status === 'rejected')).toMatchObject({ reason: { code: 'INTEGRATION_EXISTS' } });
    // The other one hears of it in a moment.
    await (both[0]?.status === 'fulfilled' ? there : here).removeIntegration(ADMIN, 'once');
  });

  test.skipIf(!existsSync(LARGE))('of 13 MB pass from the gateway to the proxy', async () => {
    const document = new Uint8Array(readFileSync(LARGE));
    const added = await fleet.administration(first.url).addIntegration(ADMIN, { slug: 'large', document, baseUrl: api.origin });
    expect(added.toolCount).toBeGreaterThan(1_000);
  });
});
