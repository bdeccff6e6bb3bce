import { parse } from 'smol-toml';
import { expect, test } from 'vitest';
import { editToml } from './edit-toml.ts';

const ENTRY = { command: '/opt/node "24"/bin/node', args: ['executor.js', 'mcp'] };
const PATH = ['mcp_servers', 'code-executor'];

const DOCUMENT = `# Codex
model = "o4" # the small one

[mcp_servers.other]
command = "x"

[mcp_servers.other.env]
A = "[mcp_servers.code-executor]"

# about profiles
[profiles.fast]
model = "o4-mini"
`;

test('a table is added at the end; comments and everything else stay', () => {
  const after = editToml(DOCUMENT, PATH, ENTRY);
  expect(after.startsWith(DOCUMENT)).toBe(true);
  expect(parse(after)).toEqual({ ...parse(DOCUMENT), mcp_servers: { ...(parse(DOCUMENT).mcp_servers as object), 'code-executor': ENTRY } });
  expect(editToml(after, PATH, null).trimEnd()).toBe(DOCUMENT.trimEnd());
});

test('a table that is there is replaced with the tables below it, and what follows keeps its comment', () => {
  const old = `[mcp_servers."code-executor"]\ncommand = "old"\n\n[mcp_servers.code-executor.env]\nA = "1"\n\n`;
  const before = DOCUMENT.replace('# about profiles', `${old}# about profiles`);
  const after = editToml(before, PATH, ENTRY);
  expect(parse(after)).toEqual(parse(editToml(DOCUMENT, PATH, ENTRY)));
  expect(after).toContain('# about profiles\n[profiles.fast]');
  expect(parse(editToml(after, PATH, null))).toEqual(parse(DOCUMENT));
});

test('nothing becomes a document, and undoing nothing is nothing', () => {
  expect(parse(editToml('', PATH, ENTRY))).toEqual({ mcp_servers: { 'code-executor': ENTRY } });
  expect(editToml(DOCUMENT, PATH, null)).toBe(DOCUMENT);
});
