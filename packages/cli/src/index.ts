export type { Command } from './command/command.ts';
export { COMMANDS } from './commands.ts';
export { JSON_SCHEMAS } from './json-schemas.ts';
