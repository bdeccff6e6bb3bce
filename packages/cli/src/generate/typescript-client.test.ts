import { stripTypeScriptTypes } from 'node:module';
import fc from 'fast-check';
import ts from 'typescript';
import { expect, test } from 'vitest';
import { toolOperations } from './tool-operations.ts';
import { typeScriptClient } from './typescript-client.ts';

interface Named {
  readonly server: string;
  readonly tool: string;
  readonly description: string;
}

/** As the service exports it. */
function exported(tools: readonly Named[], args: object = { type: 'object' }): unknown {
  const paths = tools.map(({ server, tool, description }) => [
    `/tools/invoke/${encodeURIComponent(server)}/${encodeURIComponent(tool)}`,
    {
      post: {
        description,
        'x-server': server,
        'x-tool': tool,
        requestBody: { required: false, content: { 'application/json': { schema: { type: 'object', properties: { args } } } } },
        responses: {
          200: { content: { 'application/json': { schema: { type: 'object', properties: { result: {} }, required: ['tool'] } } } },
        },
      },
    },
  ]);
  return { paths: Object.fromEntries(paths) };
}

/** Loads a generated file: it imports nothing, so that it can be one address. */
async function load(source: string): Promise<Record<string, Record<string, unknown>>> {
  const module = (await import(`data:text/javascript,${encodeURIComponent(stripTypeScriptTypes(source))}`)) as {
    createClient(options: { url: string }): Record<string, Record<string, unknown>>;
  };
  return module.createClient({ url: 'http://x' });
}

const hostile = fc.oneof(
  fc.constantFrom(
    '__proto__',
    'constructor',
    'toString',
    'new',
    'a.b',
    '*/',
    '`$`',
    '"',
    "'",
    '\\',
    '\u2028',
    '</script>',
    'ü',
    '1a',
    'default',
  ),
  fc.string({ unit: 'binary', minLength: 1, maxLength: 12 }).filter((text) => text.isWellFormed()),
);

test('whatever tools are called and say of themselves, the client parses and has a method for each', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(fc.record({ server: hostile, tool: hostile, description: hostile }), {
        selector: ({ server, tool }) => JSON.stringify([server, tool]),
        minLength: 1,
        maxLength: 8,
      }),
      async (tools) => {
        const { source, tools: count } = typeScriptClient(exported(tools));
        expect(count).toBe(tools.length);
        const parsed = ts.transpileModule(source, { reportDiagnostics: true, compilerOptions: { target: ts.ScriptTarget.ES2022 } });
        expect(parsed.diagnostics).toEqual([]);
        const client = await load(source);
        for (const { server, tool } of tools) {
          expect(Object.hasOwn(client, server) && Object.hasOwn(client[server] ?? {}, tool), JSON.stringify([server, tool])).toBe(true);
          expect(client[server]?.[tool]).toBeTypeOf('function');
        }
      },
    ),
    { numRuns: 60 },
  );
});

test('references that the export led into the document lead into the schema again', () => {
  const pointer = '#/paths/~1tools~1invoke~1s~1a%2540b/post/requestBody/content/application~1json/schema/properties/args';
  const args = {
    type: 'object',
    properties: { item: { $ref: `${pointer}/$defs/item` } },
    required: ['item'],
    $defs: { item: { type: 'object', properties: { id: { type: 'number' } }, required: ['id'] } },
  };
  const document = exported([{ server: 's', tool: 'a@b', description: '' }], args);
  expect(toolOperations(document)[0]?.input).toMatchObject({ properties: { item: { $ref: '#/$defs/item' } } });
  expect(typeScriptClient(document).source).toContain('"a@b"(args?: { item: { id: number } }');
});

test('what is no export is refused', () => {
  expect(() => typeScriptClient('<html>')).toThrow('no export of a code executor');
});
