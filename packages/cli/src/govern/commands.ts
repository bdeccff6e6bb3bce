import type { Command } from '../command/command.ts';
import { approvalCommands } from './approval-commands.ts';
import { connectionCommands } from './connection-commands.ts';
import { integrationCommands } from './integration-commands.ts';
import { keyCommands } from './key-commands.ts';
import { policyCommands } from './policy-commands.ts';
import { workspaceCommands } from './workspace-commands.ts';

export const governCommands: readonly Command[] = [
  ...integrationCommands,
  ...connectionCommands,
  ...policyCommands,
  ...approvalCommands,
  ...keyCommands,
  ...workspaceCommands,
];
