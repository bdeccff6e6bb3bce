import type { Command } from '../command/command.ts';

export const workspaceCommands: readonly Command[] = [
  {
    name: 'workspaces list',
    summary: 'The workspaces that the key may see',
    examples: ['executor workspaces list'],
    json: { operation: 'GET /workspaces' },
    load: async () => (await import('./workspaces.ts')).listWorkspaces,
  },
  {
    name: 'workspaces create',
    summary: 'Make a workspace; its first admin key is shown this once',
    words: '<name>',
    options: {
      output: { type: 'string', short: 'o', value: 'FILE', help: 'Write the key there, readable by you alone, instead of showing it' },
    },
    examples: ['executor workspaces create team-b -o team-b.key'],
    json: { operation: 'POST /workspaces' },
    load: async () => (await import('./workspaces.ts')).createWorkspace,
  },
  {
    name: 'workspaces rename',
    summary: 'Give a workspace another name',
    words: '<id> <name>',
    examples: ['executor workspaces rename wsp_… team-c'],
    json: { operation: 'PATCH /workspaces/{id}' },
    load: async () => (await import('./workspaces.ts')).renameWorkspace,
  },
  {
    name: 'workspaces key',
    summary: 'Make another admin key of a workspace, for who has lost theirs',
    words: '<id> <name>',
    options: {
      output: { type: 'string', short: 'o', value: 'FILE', help: 'Write the key there, readable by you alone, instead of showing it' },
    },
    examples: ['executor workspaces key wsp_… found-again'],
    json: { operation: 'POST /workspaces/{id}/keys' },
    load: async () => (await import('./workspaces.ts')).createWorkspaceKey,
  },
  {
    name: 'workspaces remove',
    summary: 'Remove a workspace; its keys stop working at once',
    words: '<id>',
    options: {
      everything: { type: 'boolean', help: 'Also where it holds something: that is deleted with it' },
    },
    examples: ['executor workspaces remove wsp_…', 'executor workspaces remove wsp_… --everything'],
    json: { schema: 'done' },
    load: async () => (await import('./workspaces.ts')).removeWorkspace,
  },
];
