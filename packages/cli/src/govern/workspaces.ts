import { existsSync, writeFileSync } from 'node:fs';
import type { WorkspaceWithKey } from '@code-executor/sdk';
import { type Handler, UsageError } from '../command/command.ts';
import type { Context } from '../command/context.ts';
import { textOption } from '../command/option-values.ts';
import { table } from '../terminal/columns.ts';
import { oneLine } from '../terminal/safe-text.ts';

export const listWorkspaces: Handler = async (context) => {
  const page = await (await context.client()).workspaces.list({ signal: context.signal });
  context.answer(page, ({ items }) =>
    table(
      ['id', 'name', 'made', ''],
      items.map(({ id, name, createdAt, home }) => [id, oneLine(name, 40), createdAt, home ? 'home' : '']),
      'There are no workspaces.',
    ),
  );
  return 0;
};

export const createWorkspace: Handler = async (context, { words: [name = ''], options }) => {
  const output = freeFile(options.output);
  const made = await (await context.client()).workspaces.create({ name }, { signal: context.signal });
  return handOver(context, made, output);
};

export const createWorkspaceKey: Handler = async (context, { words: [id = '', name = ''], options }) => {
  const output = freeFile(options.output);
  const made = await (await context.client()).workspaces.createKey(id, { name }, { signal: context.signal });
  return handOver(context, made, output);
};

export const renameWorkspace: Handler = async (context, { words: [id = '', name = ''] }) => {
  const renamed = await (await context.client()).workspaces.rename(id, { name }, { signal: context.signal });
  context.answer(renamed, (workspace) => `${workspace.id} is called ${oneLine(workspace.name, 100)} from now on.`);
  return 0;
};

export const removeWorkspace: Handler = async (context, { words: [id = ''], options }) => {
  await (await context.client()).workspaces.remove(id, { everything: options.everything === true }, { signal: context.signal });
  context.answer({ done: true as const, target: id }, ({ target }) => `Removed ${target}: none of its keys works any more.`);
  return 0;
};

/** Looked at first: a key that is shown once must not be lost to a file that is in the way. */
function freeFile(option: unknown): string | undefined {
  const output = textOption(option);
  if (output !== undefined && existsSync(output)) throw new UsageError(`-o: ${output} is there already; name another file`);
  return output;
}

function handOver(context: Context, made: WorkspaceWithKey, output: string | undefined): number {
  const label = `${oneLine(made.name, 100)} (${made.id})`;
  if (output === undefined) {
    context.note(`Admin key ${made.keyId} of ${label}; it is shown this once:`);
    context.answer(made, ({ key }) => key);
    return 0;
  }
  writeFileSync(output, `${made.key}\n`, { mode: 0o600, flag: 'wx' });
  context.answer({ ...made, key: `(in ${output})` }, ({ keyId }) => `Admin key ${keyId} of ${label} is in ${output}.`);
  return 0;
}
