import fc from 'fast-check';
import { expect, test } from 'vitest';
import { editJson } from './edit-json.ts';
import { scanObject, skipSpace } from './scan-json.ts';

const ENTRY = { command: 'node', args: ['executor.js', 'mcp'] };
const PATH = ['mcpServers', 'code-executor'];

test('comments, order and other entries stay, byte for byte', () => {
  const before = '{\n    // mine\n    "a": 1,\n    "mcpServers": {\n        "x": { "command": "y" } // keep\n    }\n}\n';
  const after = editJson(before, PATH, ENTRY, 'f');
  expect(after).toBe(
    '{\n    // mine\n    "a": 1,\n    "mcpServers": {\n        "x": { "command": "y" }, // keep\n        "code-executor": {\n            "command": "node",\n            "args": [\n                "executor.js",\n                "mcp"\n            ]\n        }\n    }\n}\n',
  );
  expect(editJson(after, PATH, null, 'f')).toBe(before);
});

test.each([
  ['nothing', ''],
  ['an empty object', '{}'],
  ['a comment alone', '{ /* nothing yet */ }'],
  ['another member', '{"a": [1, "}"]}'],
])('a document that has %s becomes one that a client reads', (_, before) => {
  const after = editJson(before, PATH, ENTRY, 'f');
  expect(JSON.parse(after.replace('/* nothing yet */', '')).mcpServers).toEqual({ 'code-executor': ENTRY });
});

test.each([
  ['a list', '[1]', /line 1, column 1 is no object/],
  ['broken text', '{"a": "b', /has no end/],
  ['a missing comma', '{"a": 1 "b": 2}', /line 1, column 9 should be a comma/],
  ['servers that are no object', '{"mcpServers": 3}', /is no object/],
])('%s is refused with the place, and nothing is written', (_, text, reason) => {
  expect(() => editJson(text, PATH, ENTRY, 'mcp.json')).toThrow(reason);
  expect(() => editJson(text, PATH, ENTRY, 'mcp.json')).toThrow(/^mcp.json cannot be changed/);
});

/** A document in one of the styles that people write, with comments and a trailing comma where the style has them. */
const documents = fc
  .record({
    value: fc.dictionary(fc.string(), fc.jsonValue(), { maxKeys: 4 }),
    servers: fc.option(fc.dictionary(fc.string(), fc.jsonValue(), { maxKeys: 4 })),
    indent: fc.constantFrom('', '  ', '\t'),
    isRelaxed: fc.boolean(),
  })
  .map(({ value, servers, indent, isRelaxed }) => {
    const { mcpServers: _, ...rest } = value;
    const whole =
      servers === null
        ? rest
        : { ...rest, mcpServers: Object.fromEntries(Object.entries(servers).filter(([name]) => name !== 'code-executor')) };
    const text = JSON.stringify(whole, null, indent);
    // -0 is 0 there.
    const read = JSON.parse(text) as typeof whole;
    if (!isRelaxed || indent === '' || Object.keys(whole).length === 0) return { text, whole: read };
    return { text: `// settings\n${text.slice(0, -2)}, /* the last */\n}\n`, whole: read };
  });

test('whatever is there is there afterwards, and undoing gives the document back', () => {
  fc.assert(
    fc.property(documents, ({ text, whole }) => {
      const after = editJson(text, PATH, ENTRY, 'f');
      expect(relaxed(after)).toEqual({
        ...whole,
        mcpServers: { ...((whole as { mcpServers?: object }).mcpServers ?? {}), 'code-executor': ENTRY },
      });
      expect(editJson(after, PATH, ENTRY, 'f')).toBe(after);
      expect(relaxed(editJson(after, PATH, null, 'f'))).toEqual({
        ...whole,
        mcpServers: (whole as { mcpServers?: object }).mcpServers ?? {},
      });
    }),
    { numRuns: 300 },
  );
});

/** What a client that takes comments and trailing commas reads: the members, found by the scanner, each read by JSON.parse. */
function relaxed(text: string): unknown {
  const { members } = scanObject(text, skipSpace(text, 0));
  return Object.fromEntries(members.map(({ name, valueStart, valueEnd }) => [name, JSON.parse(text.slice(valueStart, valueEnd))]));
}
