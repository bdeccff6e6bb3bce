import type { SearchAnswer, ToolInfo } from '@code-executor/tools';

/** Definitions in memory at once; one may be as large as an upstream's schema. */
const PAGE_SIZE = 50;

/** The whole catalog in pages, each tool once also where the catalog changes meanwhile. */
export async function* toolPages(
  search: (page: { readonly limit: number; readonly offset: number }) => SearchAnswer | Promise<SearchAnswer>,
  signal: AbortSignal,
): AsyncGenerator<readonly ToolInfo[]> {
  const seen = new Set<string>();
  for (let offset: number | null = 0; offset !== null; ) {
    signal.throwIfAborted();
    const { items, nextOffset }: SearchAnswer = await search({ limit: PAGE_SIZE, offset });
    const page = (items as readonly ToolInfo[]).filter(({ server, name }) => !seen.has(`${server}.${name}`));
    for (const { server, name } of page) seen.add(`${server}.${name}`);
    yield page;
    offset = nextOffset;
  }
}
