import type { Command } from '../command/command.ts';

export const policyCommands: readonly Command[] = [
  {
    name: 'policies list',
    summary: 'Every policy',
    options: { derived: { type: 'boolean', help: 'Also what follows from each server itself' } },
    examples: ['executor policies list --derived'],
    json: { operation: 'GET /policies' },
    load: async () => (await import('./policies.ts')).listPolicies,
  },
  {
    name: 'policies add',
    summary: 'Say what agents may do with tools of a pattern',
    words: '<pattern> <action>',
    options: {
      when: {
        type: 'string',
        short: 'w',
        value: 'CONDITION',
        multiple: true,
        help: 'On an argument: path=value, path~glob, path>=1, path<=9, or JSON; all must hold',
      },
      principal: { type: 'string', value: 'WHO', multiple: true, help: 'Only for a key id, role:agent or name:ci; may be repeated' },
      'per-minute': { type: 'string', value: 'N', help: 'So many calls a minute' },
      'per-execution': { type: 'string', value: 'N', help: 'So many calls an execution' },
      'per-day': { type: 'string', value: 'N', help: 'So many calls a day' },
      note: { type: 'string', value: 'TEXT', help: 'Why it is there, for people' },
    },
    details: 'The action is allow, require_approval, block, or limit (which only counts).',
    examples: [
      "executor policies add 'filesystem.read_*' allow",
      "executor policies add github.issues.create require_approval --when 'repo~acme/*'",
    ],
    json: { operation: 'POST /policies' },
    load: async () => (await import('./policies.ts')).addPolicy,
  },
  {
    name: 'policies remove',
    summary: 'Remove a policy',
    words: '<id>',
    examples: ['executor policies remove pol_…'],
    json: { schema: 'done' },
    load: async () => (await import('./policies.ts')).removePolicy,
  },
  {
    name: 'policies preview',
    summary: 'What would be decided on a call, and why',
    words: '<server.tool> [json]',
    options: { principal: { type: 'string', value: 'WHO', help: 'As whom: a key id, role:agent or name:ci' } },
    examples: ['executor policies preview filesystem.write_file \'{"path": "/etc/passwd", "content": ""}\' --principal role:agent'],
    json: { operation: 'POST /policies/preview' },
    load: async () => (await import('./policies.ts')).previewPolicy,
  },
];
