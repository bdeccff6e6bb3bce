import type { Command } from '../command/command.ts';

const options = {
  output: { type: 'string', short: 'o', value: 'FILE', help: 'Write it there instead of to the standard output' },
  source: { type: 'string', value: 'NAME', help: 'Only the tools of this server' },
} as const;

export const generateCommands: readonly Command[] = [
  {
    name: 'generate openapi',
    summary: 'The catalog as OpenAPI 3.1, one operation a tool',
    options,
    examples: ['executor generate openapi -o tools.json'],
    json: { operation: 'GET /tools/export/openapi' },
    load: async () => (await import('./generate.ts')).generateOpenApi,
  },
  {
    name: 'generate typescript',
    summary: 'The catalog as one TypeScript file without dependencies',
    options,
    examples: ['executor generate typescript -o tools.ts', 'executor generate typescript --source github -o github.ts'],
    details:
      'import { createClient } from "./tools.ts"; a method for each tool; what a human has to decide first throws ExecutorPausedError.',
    json: { schema: 'generated' },
    load: async () => (await import('./generate.ts')).generateTypeScript,
  },
];
