import type { ToolInfo } from '@code-executor/sdk';
import type { Options } from '../command/command.ts';
import type { Context } from '../command/context.ts';
import { textOption, wholeNumber } from '../command/option-values.ts';
import { columns } from '../terminal/columns.ts';
import { oneLine, safeText } from '../terminal/safe-text.ts';
import { searchTools } from '../tools/search-tools.ts';
import type { ObjectSchema } from './read-arguments.ts';

/** The catalog as help: servers, the tools of one, the arguments of one. */
export async function browse(context: Context, [server, tool]: readonly string[], options: Options): Promise<number> {
  const match = textOption(options.match);
  const limit = wholeNumber(options.limit, '--limit', 1_000);
  if (tool !== undefined && server !== undefined) {
    const info = await (await context.client()).tools.info(server, tool, { signal: context.signal });
    context.answer(info, describe);
    return 0;
  }
  if (match !== undefined || server !== undefined) return await searchTools(context, { q: match ?? '', server, limit: limit ?? 50 });
  const { toolsByServer, servers, totalTools } = await (await context.client()).health({ signal: context.signal });
  context.answer(
    { servers: Object.keys(servers).map((slug) => ({ server: slug, tools: toolsByServer[slug] ?? 0, state: servers[slug] })), totalTools },
    (value) =>
      [
        'usage: executor call <server> <tool> [json | --key value …]',
        value.servers.length === 0
          ? "There are no servers yet: 'executor add' adds one."
          : columns(
              value.servers.map((row) => [row.server, `${row.tools} tools`, row.state ?? '']),
              2,
            ),
        "'executor call SERVER --help' lists its tools; --match TEXT finds some among all.",
      ].join('\n\n'),
  );
  return 0;
}

/** One tool for people. */
export function describe(info: ToolInfo): string {
  const schema = (info.inputSchema ?? {}) as ObjectSchema;
  const rows = Object.entries(schema.properties ?? {}).map(([name, property]) => {
    const { type, description, enum: choices } = (property ?? {}) as { type?: unknown; description?: unknown; enum?: readonly unknown[] };
    const shown = choices === undefined ? String(type ?? 'any') : choices.map(String).join('|');
    const needed = schema.required?.includes(name) === true ? 'required' : '';
    return [`--${safeText(name)}`, oneLine(shown, 40), needed, oneLine(String(description ?? ''), 100)];
  });
  return [
    `usage: executor call ${info.server} ${info.name} [json | --key value …]`,
    safeText(info.description),
    rows.length === 0 ? 'It takes no arguments.' : `Arguments\n${columns(rows, 2)}`,
    `Policy: ${info.policy.action} (${safeText(info.policy.reason)})`,
    safeText(info.signature),
  ].join('\n\n');
}
