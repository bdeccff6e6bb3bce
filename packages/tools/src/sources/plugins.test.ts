import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { sourceKind } from '../../../../examples/source-plugin/routes-kind.ts';
import { loadSourceKinds } from './plugins.ts';
import type { SourceKind } from './port.ts';
import { createDocumentReader } from './reading/read-document.ts';
import { sourceKindSuite } from './source-kind.testsuite.ts';

const ROUTES = '#routes Notes 1.0 https://notes.example\nget read_note /notes/one Reads a note\npost add_note /notes Writes a note down\n';
const MODULE = new URL('../../../../examples/source-plugin/routes-kind.ts', import.meta.url);
const NOTE = { id: 'one', text: 'hello' };

/** The kind of the example, as any other has to be. */
sourceKindSuite({
  kind: sourceKind as SourceKind,
  document: ROUTES,
  operations: 2,
  reading: { tool: 'read_note', args: { full: true }, value: NOTE },
  changing: 'add_note',
  broken: {
    'a route without a path': { text: '#routes Notes 1.0\nget read_note', says: /line 2/ },
    'a name that is there twice': { text: '#routes Notes 1.0\nget a /a\nget a /b', says: /one name/ },
  },
  foreign: ['openapi: 3.1.0', 'type Query { a: Int }'],
  answer: (_request, response) => response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(NOTE)),
  isHarmless: ({ method }) => method === 'GET' || method === 'HEAD',
});

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'plugins-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const unreferring = { fetchText: () => Promise.reject(new Error('it refers to nothing')) };
const read = (text: string, plugins: readonly string[] | null) =>
  createDocumentReader({ plugins }).read(
    { bytes: new TextEncoder().encode(text), url: null, kind: null, slug: 'notes', ...unreferring },
    AbortSignal.timeout(60_000),
  );

it('a kind of a plugin is known to the thread that reads documents, and those that were left out are not', async () => {
  const { kinds, plugins } = await loadSourceKinds(['graphql', MODULE]);
  expect([...kinds.keys()]).toEqual(['graphql', 'routes']);
  expect(await read(ROUTES, plugins)).toMatchObject({ kind: 'routes', title: 'Notes', toolCount: 2 });
  await expect(read('{"openapi": "3.1.0", "info": {}, "paths": {}}', plugins)).rejects.toThrow('known here (graphql, routes)');
  await expect(read(ROUTES, null)).rejects.toThrow('of no kind that is known here');
});

it.each([
  ['export const other = {};', /exports no object named sourceKind/],
  ["export const sourceKind = { kind: 'mcp' };", /none of mcp, skills, executor/],
  ["export const sourceKind = { kind: 'Bad Name' };", /a letter first/],
  ["export const sourceKind = { kind: 'half', detect: () => null };", /lacks parse, invoke, probe/],
  ["throw new Error('no such luck');", /cannot be loaded: no such luck/],
])('a module that is no kind is refused with what it lacks: %s', async (code, says) => {
  const file = join(directory, `${Math.random()}.mjs`);
  writeFileSync(file, code);
  await expect(loadSourceKinds([pathToFileURL(file)])).rejects.toThrow(says);
});

it('a name that does not come with the product, and a kind that is there twice, are refused', async () => {
  await expect(loadSourceKinds(['soap' as 'openapi'])).rejects.toThrow(/soap: there is google-discovery, openapi, graphql/);
  await expect(loadSourceKinds([MODULE, MODULE])).rejects.toThrow(/routes is there twice/);
});
