import type { Command } from '../command/command.ts';

export const runCommands: readonly Command[] = [
  {
    name: 'run',
    summary: 'Run a program and follow what it prints',
    words: '<file|->',
    options: {
      language: { type: 'string', short: 'l', value: 'LANGUAGE', help: 'typescript, python or node; by the ending of the file by default' },
      args: { type: 'string', value: 'JSON', help: 'What the program sees as `args`: an object, or @FILE that holds one' },
      file: {
        type: 'string',
        short: 'f',
        value: 'PATH[=NAME]',
        multiple: true,
        help: 'Put this text file into /workspace by its path here, or as PATH=NAME; may be repeated',
      },
      timeout: { type: 'string', short: 't', value: 'TIME', help: 'Compute time, such as 500ms, 30s or 2m; 30s by default' },
      typecheck: { type: 'boolean', help: 'TypeScript: run nothing that does not type-check' },
      session: { type: 'string', short: 's', value: 'NAME', help: 'Keep files and variables for the next run of this session' },
      detach: { type: 'boolean', short: 'd', help: 'Print the execution id and do not wait' },
      'no-wait': { type: 'boolean', help: 'Where a human has to decide first, end with code 5 instead of waiting' },
    },
    details:
      'What the program prints goes to the error stream as it comes, its result to the standard output. Ctrl-C cancels it.\nThe exit code is 0, or 1 where it failed, 124 where its time was up, 5 where it waits for an approval, or the code it left with.',
    examples: [
      'executor run report.ts --args \'{"month": 7}\'',
      "echo 'return 6 * 7' | executor run -",
      'executor run clean.py --file rows.csv --timeout 2m',
    ],
    json: { operation: 'GET /executions/{id}' },
    load: async () => (await import('./run-program.ts')).runProgram,
  },
];
