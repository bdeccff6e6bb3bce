import fc from 'fast-check';
import { expect, test } from 'vitest';
import { blockOf, contentBlocksOf, mcpContentOf } from './mcp-content.ts';

const TEXT = { type: 'text', text: 'hello' };

test('content blocks are passed on, alone or as the result of a tool', () => {
  const image = { type: 'image', data: 'aGk=', mimeType: 'image/png', annotations: { audience: ['user'] } };
  expect(mcpContentOf(JSON.stringify([TEXT, image]))).toEqual([TEXT, image]);
  expect(contentBlocksOf({ content: [TEXT] })).toEqual([TEXT]);
});

test.each([
  [[{ type: 'user', name: 'ada' }]],
  [[{ type: 'image', data: 'no base64!', mimeType: 'image/png' }]],
  [[TEXT, 1]],
  [[]],
  [{ content: [TEXT], total: 1 }],
  [TEXT],
  ['text'],
  [null],
])('%j is a result like any other', (value) => {
  expect(contentBlocksOf(value)).toBeNull();
});

test('no result of a program makes the reading of it fail', () => {
  fc.assert(
    fc.property(fc.json(), (json) => {
      mcpContentOf(json);
    }),
  );
});

test.each([{ type: 'hologram', beam: 7 }, { type: 'image', data: 'no base64!', mimeType: 'image/png' }, null, 'text'])(
  'of an answer that is passed on, %j is shown as text, since clients would refuse all of it',
  (block) => {
    expect(blockOf(block)).toEqual({ type: 'text', text: JSON.stringify(block) });
  },
);
