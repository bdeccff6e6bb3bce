import type { Command } from '../command/command.ts';

export const connectionCommands: readonly Command[] = [
  {
    name: 'connections list',
    summary: 'Every connection, without its values',
    options: { source: { type: 'string', value: 'NAME', help: 'Only those of this integration' } },
    examples: ['executor connections list --source github'],
    json: { operation: 'GET /connections' },
    load: async () => (await import('./connections.ts')).listConnections,
  },
  {
    name: 'connections add',
    summary: 'Give an integration a credential',
    words: '<integration> [name]',
    options: {
      auth: { type: 'string', value: 'TYPE', help: 'bearer, apiKey, basic or oauth2; asked for on a terminal' },
      'secret-file': { type: 'string', value: 'FILE', help: 'Read the token, key or password from this file, - for the standard input' },
      username: { type: 'string', value: 'NAME', help: 'With --auth basic' },
      in: { type: 'string', value: 'PLACE', help: 'With --auth apiKey: header, query or cookie; as the document declares it by default' },
      header: { type: 'string', value: 'NAME', help: 'With --auth apiKey: the name of the header, parameter or cookie' },
      'client-id': { type: 'string', value: 'ID', help: 'With --auth oauth2, where the server lets nobody register' },
      mine: { type: 'boolean', help: 'For this key alone, not for the workspace' },
      default: { type: 'boolean', help: 'Use it where no connection is named' },
    },
    details:
      'The name is "default" by default. With oauth2 the address of the consent page is printed; the command waits until it was gone through.',
    examples: [
      'executor connections add github work --auth bearer --secret-file token.txt',
      'executor connections add calendar --auth oauth2',
    ],
    json: { operation: 'GET /connections/{id}' },
    load: async () => (await import('./connections.ts')).addConnection,
  },
  {
    name: 'connections test',
    summary: 'Try a connection with a request that changes nothing',
    words: '<id>',
    examples: ['executor connections test con_…'],
    json: { operation: 'POST /connections/{id}/validate' },
    load: async () => (await import('./connections.ts')).testConnection,
  },
  {
    name: 'connections authorize',
    summary: "Go through the provider's consent page again",
    words: '<id>',
    options: { 'no-wait': { type: 'boolean', help: 'Print the address and end' } },
    examples: ['executor connections authorize con_…'],
    json: { operation: 'GET /connections/{id}' },
    load: async () => (await import('./connections.ts')).authorizeConnection,
  },
  {
    name: 'connections remove',
    summary: 'Remove a connection with its values',
    words: '<id>',
    examples: ['executor connections remove con_…'],
    json: { schema: 'done' },
    load: async () => (await import('./connections.ts')).removeConnection,
  },
];
