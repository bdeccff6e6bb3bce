import type { Command } from '../command/command.ts';

export const keyCommands: readonly Command[] = [
  {
    name: 'keys list',
    summary: 'Every key, without its secret',
    examples: ['executor keys list'],
    json: { operation: 'GET /keys' },
    load: async () => (await import('./keys.ts')).listKeys,
  },
  {
    name: 'keys create',
    summary: 'Make a key; it is shown this once',
    words: '<name>',
    options: {
      role: { type: 'string', value: 'ROLE', help: 'agent (the default), operator or admin' },
      scope: { type: 'string', value: 'SCOPE', multiple: true, help: 'Narrow it: execute, tools:read, servers:NAME …; may be repeated' },
      expires: { type: 'string', value: 'TIME', help: 'In so long, such as 12h or 30d, or at a time (ISO 8601)' },
      output: { type: 'string', short: 'o', value: 'FILE', help: 'Write the key there, readable by you alone, instead of showing it' },
    },
    examples: ['executor keys create ci --role agent --expires 30d', 'executor keys create phone --role operator -o phone.key'],
    json: { operation: 'POST /keys' },
    load: async () => (await import('./keys.ts')).createKey,
  },
  {
    name: 'keys revoke',
    summary: 'Take a key back',
    words: '<id>',
    examples: ['executor keys revoke key_…'],
    json: { operation: 'DELETE /keys/{id}' },
    load: async () => (await import('./keys.ts')).revokeKey,
  },
  {
    name: 'audit',
    summary: 'Who did what: acts of administration and tool calls, newest first',
    options: {
      type: { type: 'string', value: 'TYPE', help: 'Such as tool.call, key.revoke or policy' },
      principal: { type: 'string', value: 'ID', help: 'Of this key' },
      tool: { type: 'string', value: 'NAME', help: 'Of this tool' },
      source: { type: 'string', value: 'NAME', help: 'Of the tools of this server' },
      execution: { type: 'string', value: 'ID', help: 'Of this execution' },
      outcome: { type: 'string', value: 'CODE', help: 'ok, the code of an error, or failed' },
      since: { type: 'string', value: 'TIME', help: 'So long ago, such as 2h or 7d, or at a time (ISO 8601)' },
      limit: { type: 'string', value: 'N', help: 'At most so many; 50 by default' },
      export: { type: 'boolean', help: 'All of it as JSON Lines, oldest first' },
      verify: { type: 'boolean', help: 'Check that nothing was taken out of the record; exit code 1 where it was' },
    },
    examples: ['executor audit --since 2h', 'executor audit --type tool.call --outcome failed', 'executor audit --export > audit.jsonl'],
    json: { operation: 'GET /audit' },
    load: async () => (await import('./audit.ts')).showAudit,
  },
];
