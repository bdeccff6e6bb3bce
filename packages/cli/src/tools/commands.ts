import type { Command } from '../command/command.ts';

export const toolCommands: readonly Command[] = [
  {
    name: 'tools search',
    summary: 'Find tools by what they do',
    words: '[words] …',
    options: {
      source: { type: 'string', value: 'NAME', help: 'Only tools of this server' },
      match: { type: 'string', short: 'm', value: 'TEXT', help: 'The same as the words' },
      detail: { type: 'string', value: 'LEVEL', help: 'name, description or full; description by default' },
      limit: { type: 'string', value: 'N', help: 'At most so many; 20 by default' },
    },
    examples: ['executor tools search read a file', 'executor tools search issue --source github --detail full --json'],
    json: { operation: 'GET /tools/search' },
    load: async () => (await import('./search-tools.ts')).searchCommand,
  },
  {
    name: 'tools sources',
    summary: 'The servers, and how many tools each has',
    examples: ['executor tools sources'],
    json: { schema: 'sources' },
    load: async () => (await import('./list-sources.ts')).listSources,
  },
  {
    name: 'tools describe',
    summary: 'All there is to know about one tool',
    words: '<server> <tool>',
    examples: ['executor tools describe filesystem read_text_file'],
    json: { operation: 'GET /tools/info/{server}/{tool}' },
    load: async () => (await import('./describe-tool.ts')).describeTool,
  },
];
