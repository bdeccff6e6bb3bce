import type { Page } from '../types/page.ts';
import type { RequestOptions } from './send.ts';

export interface PageQuery {
  readonly limit?: number;
  /** `nextCursor` of the page before. */
  readonly cursor?: string;
}

/** The items of all pages. */
export async function* each<Item, Filter extends PageQuery>(
  list: (query: Filter, options?: RequestOptions) => Promise<Page<Item>>,
  query?: Filter,
  options?: RequestOptions,
): AsyncGenerator<Item> {
  let next = { ...query } as Filter;
  for (;;) {
    const page = await list(next, options);
    yield* page.items;
    if (page.nextCursor === null) return;
    next = { ...next, cursor: page.nextCursor };
  }
}
