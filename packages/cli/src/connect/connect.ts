import { chmodSync, existsSync, mkdirSync, readFileSync, realpathSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Handler, type Options, UsageError } from '../command/command.ts';
import type { Context } from '../command/context.ts';
import { nearest } from '../command/nearest.ts';
import { oneOf, textOption } from '../command/option-values.ts';
import { table } from '../terminal/columns.ts';
import { isPresent, MCP_CLIENTS, type McpClient, placeOf } from './clients.ts';
import { editJson } from './edit-json.ts';
import { editToml } from './edit-toml.ts';

export const connectClient: Handler = async (context, { words: [id], options }) => {
  const place = placeOf(context.terminal.env);
  if (id === undefined) {
    const items = MCP_CLIENTS.map((client) => ({
      client: client.id,
      title: client.title,
      file: client.file(place),
      present: isPresent(client, place),
    }));
    context.answer({ items, total: items.length }, (value) =>
      table(
        ['client', '', 'configuration', ''],
        value.items.map((item) => [item.client, item.title, item.file, item.present ? 'is here' : '']),
        '',
      ),
    );
    return 0;
  }
  const client = clientOf(id);
  const file = fileFor(client, options, context);
  const before = existsSync(file) ? readFileSync(file, 'utf8') : null;
  const name = textOption(options.name) ?? 'code-executor';
  if (!/^[\w-]{1,64}$/.test(name)) throw new UsageError(`--name ${JSON.stringify(name)}: letters, digits, - and _ only.`);
  const entry = options.undo === true ? null : await entryFor(client, options, context);
  const path = [...(options.project === true ? (client.projectPath ?? client.path) : client.path), name];
  const after = client.format === 'json' ? editJson(before ?? '', path, entry, file) : editToml(before ?? '', path, entry);
  const isChanged = after !== (before ?? '') && !(entry === null && before === null);
  if (options['dry-run'] === true) {
    context.terminal.out(after);
    return 0;
  }
  const backup = isChanged ? write(file, before, after) : null;
  context.answer({ client: client.id, file, name, connected: entry !== null, changed: isChanged, backup }, () =>
    sentenceFor(client, file, entry !== null, isChanged, backup),
  );
  return 0;
};

function sentenceFor({ title }: McpClient, file: string, isAdded: boolean, isChanged: boolean, backup: string | null): string {
  if (!isChanged) return isAdded ? `${title} is connected already (${file}).` : `${title} was not connected (${file}).`;
  const kept = backup === null ? '' : ` As it was: ${backup}`;
  return `${isAdded ? `Connected ${title}` : `Disconnected ${title}`} in ${file}; start it again to take that over.${kept}`;
}

function clientOf(id: string): McpClient {
  const client = MCP_CLIENTS.find((one) => one.id === id);
  if (client !== undefined) return client;
  const ids = MCP_CLIENTS.map((one) => one.id);
  const near = nearest(id, ids);
  throw new UsageError(`There is no client '${id}'${near === null ? '' : `; did you mean '${near}'?`} There are ${ids.join(', ')}.`);
}

function fileFor(client: McpClient, options: Options, { terminal }: Context): string {
  const given = textOption(options.config);
  if (given !== undefined) return resolve(given);
  if (options.project !== true) return client.file(placeOf(terminal.env));
  if (client.projectFile === undefined) throw new UsageError(`${client.title} has no configuration of a project.`);
  return join(process.cwd(), client.projectFile);
}

/** The client starts this CLI, which knows its server and key by itself: neither is written. */
async function entryFor(client: McpClient, options: Options, context: Context): Promise<Record<string, unknown>> {
  const mode = oneOf(options.mode, '--mode', ['passthrough']);
  const server = textOption(options.server);
  const url = textOption(options.url);
  // From packages/cli/src/connect, or as built from packages/cli/dist.
  const bin = ['../../bin/executor.js', '../bin/executor.js']
    .map((path) => fileURLToPath(new URL(path, import.meta.url)))
    .find((path) => existsSync(path));
  const [command, ...before] = bin === undefined ? ['executor'] : [process.execPath, bin];
  const args = [
    ...before,
    ...(server === undefined ? [] : ['--server', server]),
    ...(url === undefined ? [] : ['--url', url]),
    'mcp',
    ...(mode === undefined ? [] : ['--mode', mode]),
  ];
  // A server that is not there would only be noticed inside the client.
  if (server !== undefined) await context.server();
  return client.entry(command ?? 'executor', args);
}

/** Whole at every moment, with the rights it had, through a link to what it leads to. Answers where the file as it was is kept. */
function write(file: string, before: string | null, after: string): string | null {
  mkdirSync(dirname(file), { recursive: true });
  const target = before === null ? file : realpathSync(file);
  const mode = before === null ? 0o600 : statSync(target).mode & 0o777;
  const backup = before === null ? null : `${file}.before-code-executor`;
  // The first one is kept: later ones would hold what this command wrote.
  if (backup !== null && before !== null && !existsSync(backup)) writeFileSync(backup, before, { mode });
  const draft = `${target}.${process.pid}.tmp`;
  writeFileSync(draft, after, { mode });
  chmodSync(draft, mode);
  renameSync(draft, target);
  return backup;
}
