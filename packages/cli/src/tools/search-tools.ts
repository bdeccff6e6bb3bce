import type { SearchAnswer, SearchQuery } from '@code-executor/sdk';
import type { Handler } from '../command/command.ts';
import type { Context } from '../command/context.ts';
import { oneOf, textOption, wholeNumber } from '../command/option-values.ts';
import { columns } from '../terminal/columns.ts';
import { oneLine } from '../terminal/safe-text.ts';

export const searchCommand: Handler = (context, { words, options }) =>
  searchTools(context, {
    q: [...words, textOption(options.match) ?? ''].join(' ').trim(),
    server: textOption(options.source),
    detail: oneOf(options.detail, '--detail', ['name', 'description', 'full']),
    limit: wholeNumber(options.limit, '--limit', 1_000) ?? 20,
  });

interface Asked {
  readonly q: string;
  readonly server: string | undefined;
  readonly detail?: SearchQuery['detail'] | undefined;
  readonly limit: number;
}

export async function searchTools(context: Context, { q, server, detail, limit }: Asked): Promise<number> {
  const client = await context.client();
  const query: SearchQuery = { q, limit, ...(server === undefined ? {} : { server }), ...(detail === undefined ? {} : { detail }) };
  const answer = await client.tools.search(query, { signal: context.signal });
  context.answer(answer, textOf);
  return 0;
}

function textOf({ items, total, nextOffset, tokens, tokensSaved }: SearchAnswer): string {
  if (total === 0) return 'No tool fits; other words, or none, may.';
  const end = `${total} in all${nextOffset === null ? '' : '; --limit shows more'} · ${tokens} tokens, ${tokensSaved} saved`;
  return `${Array.isArray(items) ? JSON.stringify(items, null, 2) : columns(rowsOf(items))}\n\n${end}`;
}

/** `{server: [tool]}` or `{server: {tool: one line}}`. */
function rowsOf(items: unknown): string[][] {
  return Object.entries((items ?? {}) as Record<string, unknown>).flatMap(([server, tools]) =>
    Array.isArray(tools)
      ? tools.map((tool) => [`${server}.${String(tool)}`])
      : Object.entries(tools as Record<string, unknown>).map(([tool, line]) => [`${server}.${tool}`, oneLine(String(line))]),
  );
}
