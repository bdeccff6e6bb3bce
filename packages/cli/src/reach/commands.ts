import type { Command } from '../command/command.ts';

export const reachCommands: readonly Command[] = [
  {
    name: 'health',
    summary: 'How the service is',
    examples: ['executor health'],
    json: { operation: 'GET /health' },
    load: async () => (await import('./health.ts')).health,
  },
  {
    name: 'whoami',
    summary: 'Which service, with which key, in which role',
    examples: ['executor whoami'],
    json: { schema: 'whoami' },
    load: async () => (await import('./whoami.ts')).whoami,
  },
  {
    name: 'server add',
    summary: 'Give a service a name, to be reached with --server NAME',
    words: '<name> <url>',
    options: {
      use: { type: 'boolean', help: 'Make it the one that is used where none is named' },
      'no-key': { type: 'boolean', help: "Store no key now ('executor login' does later)" },
    },
    details:
      'The key is typed unseen, or comes from --key-file; it is stored in ~/.config/code-executor/servers.json, readable by you alone.',
    examples: [
      'executor server add home https://executor.example --use',
      'executor server add work https://executor.work.example --key-file work.key',
    ],
    json: { schema: 'server' },
    load: async () => (await import('./servers.ts')).addServer,
  },
  {
    name: 'server list',
    summary: 'The services that have a name',
    examples: ['executor server list'],
    json: { schema: 'servers' },
    load: async () => (await import('./servers.ts')).listServers,
  },
  {
    name: 'server use',
    summary: 'Reach this service where none is named; "local" is that of this machine',
    words: '<name>',
    examples: ['executor server use home', 'executor server use local'],
    json: { schema: 'server' },
    load: async () => (await import('./servers.ts')).useServer,
  },
  {
    name: 'server remove',
    summary: 'Forget a service and its key',
    words: '<name>',
    examples: ['executor server remove home'],
    json: { schema: 'done' },
    load: async () => (await import('./servers.ts')).removeServer,
  },
  {
    name: 'login',
    summary: 'Store a credential for a service',
    words: '[name]',
    options: {
      'with-key': { type: 'boolean', help: 'Type an API key unseen instead of agreeing in a browser' },
      role: { type: 'string', value: 'ROLE', help: 'In a browser: agent (the default), operator or admin is asked for' },
    },
    details:
      'Shows a code and an address; whoever holds an API key agrees there. With --with-key or --key-file an API key is stored instead.',
    examples: ['executor login home', 'executor login home --with-key', 'executor login home --key-file - < home.key'],
    json: { schema: 'whoami' },
    load: async () => (await import('./login.ts')).login,
  },
  {
    name: 'logout',
    summary: 'Forget the credential of a service, and take its token back',
    words: '[name]',
    examples: ['executor logout home'],
    json: { schema: 'done' },
    load: async () => (await import('./login.ts')).logout,
  },
  {
    name: 'mcp',
    summary: 'Speak MCP on standard input and output, for clients that know nothing else',
    options: { mode: { type: 'string', value: 'MODE', help: 'passthrough: the real tools instead of execute and search' } },
    details: "A client starts this command by itself; 'executor connect' writes that into its configuration.",
    examples: ['executor mcp', 'executor --server home mcp'],
    load: async () => (await import('./mcp-bridge.ts')).bridgeMcp,
  },
  {
    name: 'connect',
    summary: 'Write this service into the MCP configuration of a client',
    words: '[client]',
    options: {
      undo: { type: 'boolean', help: 'Take it out again' },
      name: { type: 'string', value: 'NAME', help: 'What the client calls it; code-executor by default' },
      project: { type: 'boolean', help: "Into the project's configuration in this directory, where the client has one" },
      'dry-run': { type: 'boolean', help: 'Show what would be written, and write nothing' },
      config: { type: 'string', value: 'FILE', help: "Another place of the client's configuration" },
      mode: { type: 'string', value: 'MODE', help: 'passthrough: the real tools instead of execute and search' },
    },
    details:
      'Without a client it lists those there are. The client is told to run this command (executor mcp): no key is written. The file as it was is kept beside it.',
    examples: ['executor connect', 'executor connect claude-code', 'executor connect cursor --project', 'executor connect codex --undo'],
    json: { schema: 'connected' },
    load: async () => (await import('../connect/connect.ts')).connectClient,
  },
  {
    name: 'completion',
    summary: 'Print the completion of a shell',
    words: '<bash|zsh|fish>',
    examples: ['executor completion bash > ~/.local/share/bash-completion/completions/executor', 'executor completion fish | source'],
    load: async () => (await import('./completion.ts')).completion,
  },
];
