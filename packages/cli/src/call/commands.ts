import type { Command } from '../command/command.ts';

export const callCommands: readonly Command[] = [
  {
    name: 'call',
    summary: 'Call one tool',
    words: '[server] [tool] [json]',
    openAfter: 2,
    options: {
      match: { type: 'string', short: 'm', value: 'TEXT', help: 'With --help: only tools that this finds' },
      limit: { type: 'string', value: 'N', help: 'With --help: at most so many; 50 by default' },
    },
    details: [
      "Arguments are one JSON object, - for one on the standard input, or --key value each, read as the types of the tool's schema",
      "(--tags a --tags b for a list, --flag for true). What follows the tool is the tool's own but --json, --wait and --help.",
      "'executor call --help' lists the servers, 'executor call SERVER --help' its tools, 'executor call SERVER TOOL --help' its arguments.",
      'A call that a human has to decide ends with code 5 and says how; with --wait it waits for the decision.',
    ].join('\n'),
    examples: [
      'executor call filesystem list_directory \'{"path": "/data"}\'',
      'executor call filesystem read_text_file --path /data/a.txt --head 3',
      'executor call --help --match issue',
    ],
    json: { operation: 'POST /tools/invoke/{server}/{tool}' },
    load: async () => (await import('./call-tool.ts')).callTool,
  },
];
