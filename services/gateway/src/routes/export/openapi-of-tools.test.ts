import type { ToolInfo } from '@code-executor/tools';
import { expect, test } from 'vitest';
import { openApiOfTools } from './openapi-of-tools.ts';

const tool = (name: string, inputSchema: unknown, outputSchema: unknown = null): ToolInfo => ({
  server: 's',
  name,
  title: null,
  description: 'd',
  inputSchema: inputSchema as ToolInfo['inputSchema'],
  outputSchema: outputSchema as ToolInfo['outputSchema'],
  annotations: {},
  signature: '',
  wrapper: { path: '', source: '', pythonPath: '', pythonSource: '' },
  policy: { action: 'allow', reason: '' },
  example: { typescript: '', python: '' },
});

async function documentOf(...tools: ToolInfo[]): Promise<{ paths: Record<string, { post: Record<string, unknown> }> }> {
  const pages = (async function* () {
    for (const one of tools) yield [one];
  })();
  let text = '';
  for await (const piece of openApiOfTools(await pages.next(), pages, '1')) text += piece;
  return JSON.parse(text);
}

test('references inside a tool’s schema lead to the same place in the document, whatever the tool is called', async () => {
  const schema = {
    $id: 'https://example.com/s',
    type: 'object',
    properties: { node: { $ref: '#/$defs/node' }, $ref: { type: 'string' }, whole: { $ref: '#' } },
    $defs: { node: { type: 'object', properties: { next: { $ref: '#/$defs/node' } } } },
    default: { $ref: '#/is/data' },
  };
  for (const name of ['plain', 'a.b', 'a/b~c', 'ü @%', '__proto__']) {
    const document = await documentOf(tool(name, schema, schema));
    const references = referencesIn(document.paths);
    // Three of the input and three of the output, and those to the two common answers.
    expect(references).toHaveLength(8);
    for (const reference of references) expect([name, reference, typeof resolve(document, reference)]).toEqual([name, reference, 'object']);
    expect(JSON.stringify(document)).toContain('{"$ref":"#/is/data"}');
  }
});

test('no tool, and tools whose schemas are mere booleans, make a document too', async () => {
  expect((await documentOf()).paths).toEqual({});
  const { paths } = await documentOf(tool('any', true));
  expect(Object.keys(paths)).toEqual(['/tools/invoke/s/any']);
});

function referencesIn(node: unknown): string[] {
  if (typeof node !== 'object' || node === null) return [];
  return Object.entries(node).flatMap(([name, value]) =>
    name === 'default' && !('description' in Object(value)) && !String(Object(value).$ref).includes('components')
      ? []
      : name === '$ref' && typeof value === 'string'
        ? [value]
        : referencesIn(value),
  );
}

function resolve(document: unknown, reference: string): unknown {
  return reference
    .slice(2)
    .split('/')
    .map((part) => decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~'))
    .reduce<unknown>((node, part) => (Object.hasOwn(Object(node), part) ? Object(node)[part] : undefined), document);
}
