import { callCommands } from './call/commands.ts';
import type { Command } from './command/command.ts';
import { executionCommands } from './executions/commands.ts';
import { generateCommands } from './generate/commands.ts';
import { governCommands } from './govern/commands.ts';
import { localCommands } from './local/commands.ts';
import { reachCommands } from './reach/commands.ts';
import { runCommands } from './run/commands.ts';
import { skillCommands } from './skills/commands.ts';
import { toolCommands } from './tools/commands.ts';

/** Every command. Their work is loaded when they are called, so that the start stays quick. */
export const COMMANDS: readonly Command[] = [
  ...runCommands,
  ...callCommands,
  ...toolCommands,
  ...skillCommands,
  ...executionCommands,
  ...governCommands,
  ...reachCommands,
  ...generateCommands,
  ...localCommands,
];
