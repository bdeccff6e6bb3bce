import type { SearchDetail } from '@code-executor/contracts';
import type { CatalogTool } from '../catalog/catalog.ts';
import type { VisibleTool, VisibleTools } from '../catalog/visible-tools.ts';
import type { SearchAnswer } from '../port.ts';
import { countTokens } from './count-tokens.ts';
import { oneLine } from './one-line.ts';
import { createSearchIndex } from './search-index.ts';

export interface ToolSearchQuery {
  readonly q: string;
  readonly server?: string | undefined;
  /** Those that whoever asks may use; null or absent: all. */
  readonly among?: readonly string[] | null | undefined;
  readonly detail: SearchDetail;
  readonly limit: number;
  readonly offset: number;
}

export interface ToolSearch {
  /** `full` makes one item of the `full` detail, an object whose first member is `server`. */
  search(query: ToolSearchQuery, full: (tool: VisibleTool) => unknown): SearchAnswer;
  /** The visible tools have changed; the index follows in the background. */
  changed(): void;
  /** Resolves when the index holds the visible tools. */
  settled(): Promise<void>;
}

/** The event loop gets its turn after this long; a request takes several of them. */
const SLICE_MS = 4;
const ANSWERS_KEPT = 500;
const FULL_ITEMS_KEPT = 1_000;
/** Of a JSON array of items whose first member is `server`. */
const ITEMS_START = '[{"';
const ITEMS_BETWEEN = ',{"';
const LONGEST_REMEMBERED = 16 * 1024;

/** Search over the visible tools: one index, which follows changes tool by tool and never per query. */
export function createToolSearch(visible: () => VisibleTools): ToolSearch {
  const index = createSearchIndex();
  const ids = new Map<CatalogTool, number>();
  const indexed = new Map<number, CatalogTool>();
  const fullTokens = new WeakMap<VisibleTool, number>();
  const fullItems = new Map<VisibleTool, unknown>();
  const definitionTokens = new WeakMap<CatalogTool, number>();
  let nextId = 1;
  let work: Promise<void> | null = null;
  let isStale = true;
  let places: { readonly of: VisibleTools; readonly byEntry: ReadonlyMap<CatalogTool, number> } | null = null;
  /** Of the definitions of all tools that are indexed. */
  let indexedTokens = 0;
  let tokensOfAnswers = new Map<string, number>();

  async function follow(): Promise<void> {
    await nextTurn();
    while (isStale) {
      isStale = false;
      const tools = visible();
      const current = placesIn(tools);
      tokensOfAnswers = new Map();
      fullItems.clear();
      let sliceEnd = performance.now() + SLICE_MS;
      for (const entry of [...[...ids.keys()].filter((known) => !current.has(known)), ...current.keys()]) {
        if (isStale) break;
        update(entry, current.has(entry));
        if (performance.now() > sliceEnd) {
          await nextTurn();
          sliceEnd = performance.now() + SLICE_MS;
        }
      }
    }
  }

  function update(entry: CatalogTool, isVisible: boolean): void {
    const id = ids.get(entry);
    if (isVisible && id === undefined) {
      ids.set(entry, nextId);
      indexed.set(nextId, entry);
      index.add(nextId, entry.tool);
      indexedTokens += tokensOfDefinition(entry);
      nextId += 1;
    } else if (!isVisible && id !== undefined) {
      ids.delete(entry);
      indexed.delete(id);
      index.remove(id);
      indexedTokens -= tokensOfDefinition(entry);
    }
  }

  function tokensOfDefinition(entry: CatalogTool): number {
    const known = definitionTokens.get(entry);
    if (known !== undefined) return known;
    const { name, description, inputSchema } = entry.tool;
    const tokens = countTokens(JSON.stringify({ name, description, inputSchema }));
    definitionTokens.set(entry, tokens);
    return tokens;
  }

  function placesIn(tools: VisibleTools): ReadonlyMap<CatalogTool, number> {
    if (places?.of !== tools) places = { of: tools, byEntry: new Map(tools.list.map(({ entry }, place) => [entry, place])) };
    return places.byEntry;
  }

  /** Best first; equals in the order of the catalog. */
  function find(
    { q, server, among = null, offset, limit }: ToolSearchQuery,
    tools: VisibleTools,
  ): { readonly page: readonly VisibleTool[]; readonly total: number } {
    if (q.trim() === '') {
      const all = server === undefined ? tools.list : (tools.byServer.get(server) ?? []);
      const list = among === null ? all : all.filter(({ entry }) => among.includes(entry.tool.server));
      return { page: list.slice(offset, offset + limit), total: list.length };
    }
    const isMeant = (own: string): boolean => (server === undefined || own === server) && (among?.includes(own) ?? true);
    const hits: RankedTool[] = [];
    const placesNow = placesIn(tools);
    for (const { id, score } of index.find(q)) {
      const entry = indexed.get(id);
      const place = entry === undefined ? undefined : placesNow.get(entry);
      if (entry !== undefined && place !== undefined && isMeant(entry.tool.server)) hits.push({ place, score });
    }
    const page = bestOf(hits, offset + limit)
      .slice(offset)
      .flatMap(({ place }) => tools.list[place] ?? []);
    return { page, total: hits.length };
  }

  function tokensOfAnswer(items: unknown): number {
    const text = JSON.stringify(items);
    // A text as long as this costs more memory to remember than time to count.
    if (text.length > LONGEST_REMEMBERED) return countTokens(text);
    const known = tokensOfAnswers.get(text);
    if (known !== undefined) return known;
    const tokens = countTokens(text);
    if (tokensOfAnswers.size >= ANSWERS_KEPT) tokensOfAnswers.clear();
    tokensOfAnswers.set(text, tokens);
    return tokens;
  }

  /**
   * A token never reaches over the beginning of the word `server` behind the `,{"` between two items, so each item is
   * counted once, from that word up to the next one's.
   */
  function tokensOfFull(page: readonly VisibleTool[], items: readonly unknown[]): number {
    if (items.length === 0) return countTokens('[]');
    let tokens = countTokens(ITEMS_START);
    for (const [index, item] of items.entries()) {
      const isLast = index === items.length - 1;
      const tool = page[index];
      const known = tool === undefined || isLast ? undefined : fullTokens.get(tool);
      const counted = known ?? countTokens(`${JSON.stringify(item).slice(2)}${isLast ? ']' : ITEMS_BETWEEN}`);
      if (tool !== undefined && !isLast) fullTokens.set(tool, counted);
      tokens += counted;
    }
    return tokens;
  }

  return {
    search(query, full) {
      const fullOnce = (tool: VisibleTool): unknown => {
        const known = fullItems.get(tool);
        if (known !== undefined) return known;
        if (fullItems.size >= FULL_ITEMS_KEPT) fullItems.clear();
        const item = full(tool);
        fullItems.set(tool, item);
        return item;
      };
      const tools = visible();
      const { page, total } = find(query, tools);
      const items = query.detail === 'full' ? page.map(fullOnce) : grouped(page, query.detail);
      const tokens = query.detail === 'full' ? tokensOfFull(page, items as readonly unknown[]) : tokensOfAnswer(items);
      const end = query.offset + page.length;
      return {
        items,
        total,
        tokens,
        tokensSaved: Math.max(0, indexedTokens - tokens),
        nextOffset: page.length > 0 && end < total ? end : null,
      };
    },
    changed() {
      isStale = true;
      work ??= follow().finally(() => {
        work = null;
      });
    },
    async settled() {
      while (work !== null) await work;
    },
  };
}

interface RankedTool {
  readonly place: number;
  readonly score: number;
}

const byRank = (a: RankedTool, b: RankedTool): number => b.score - a.score || a.place - b.place;

/** The best `count` in order, without sorting what is not asked for. */
function bestOf(hits: readonly RankedTool[], count: number): readonly RankedTool[] {
  if (hits.length <= count * 4) return hits.toSorted(byRank).slice(0, count);
  let best: RankedTool[] = [];
  let threshold: RankedTool | undefined;
  for (const hit of hits) {
    if (threshold !== undefined && byRank(hit, threshold) > 0) continue;
    best.push(hit);
    if (best.length < count * 3) continue;
    best = best.sort(byRank).slice(0, count);
    threshold = best.at(-1);
  }
  return best.sort(byRank).slice(0, count);
}

function grouped(page: readonly VisibleTool[], detail: 'name' | 'description'): unknown {
  const servers = Map.groupBy(page, ({ entry }) => entry.tool.server);
  // `fromEntries` makes own properties of any name, `__proto__` too.
  return Object.fromEntries(
    [...servers].map(([server, tools]) => [
      server,
      detail === 'name'
        ? tools.map(({ entry }) => entry.tool.name)
        : Object.fromEntries(tools.map(({ entry }) => [entry.tool.name, oneLine(entry.tool.description || entry.tool.title || '')])),
    ]),
  );
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
