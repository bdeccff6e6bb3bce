import type { Command } from '../command/command.ts';

export const skillCommands: readonly Command[] = [
  {
    name: 'skills list',
    summary: 'Every skill: programs that are kept under a name',
    examples: ['executor skills list'],
    json: { operation: 'GET /skills' },
    load: async () => (await import('./skills.ts')).listSkills,
  },
  {
    name: 'skills show',
    summary: 'One skill with its code',
    words: '<name>',
    options: { version: { type: 'string', value: 'N', help: 'An older version' } },
    examples: ['executor skills show each_page'],
    json: { operation: 'GET /skills/{name}' },
    load: async () => (await import('./skills.ts')).showSkill,
  },
  {
    name: 'skills save',
    summary: 'Save a program as a skill, or as the next version of one',
    words: '<name> <file>',
    options: {
      description: { type: 'string', short: 'd', value: 'TEXT', help: 'What it does and when to use it; searches find it by this' },
      parameters: { type: 'string', value: 'JSON', help: 'JSON Schema of its arguments' },
      language: { type: 'string', value: 'NAME', help: 'typescript or python; by the ending of the file' },
    },
    examples: ["executor skills save add_up add-up.ts --description 'Adds up numbers'"],
    json: { operation: 'POST /skills' },
    load: async () => (await import('./skills.ts')).saveSkill,
  },
  {
    name: 'skills delete',
    summary: 'Remove a skill with all its versions',
    words: '<name>',
    examples: ['executor skills delete add_up'],
    json: { schema: 'done' },
    load: async () => (await import('./skills.ts')).deleteSkill,
  },
  {
    name: 'skills run',
    summary: 'Run a skill by itself',
    words: '<name> [json]',
    examples: ['executor skills run summarize_rows \'{"csv": "a,b\\n1,2"}\''],
    json: { operation: 'POST /tools/invoke/{server}/{tool}' },
    load: async () => (await import('./skills.ts')).runSkill,
  },
];
