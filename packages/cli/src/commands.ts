import { callCommands } from './call/commands.ts';
import type { Command } from './command/command.ts';
import { generateCommands } from './generate/commands.ts';
import { runCommands } from './run/commands.ts';
import { toolCommands } from './tools/commands.ts';

/** Every command. Their work is loaded when they are called, so that the start stays quick. */
export const COMMANDS: readonly Command[] = [...runCommands, ...callCommands, ...toolCommands, ...generateCommands];
