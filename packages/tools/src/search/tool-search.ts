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
  readonly detail: SearchDetail;
  readonly limit: number;
  readonly offset: number;
}

export interface ToolSearch {
  /** `full` makes one item of the `full` detail. */
  search(query: ToolSearchQuery, full: (tool: VisibleTool) => unknown): SearchAnswer;
  /** The visible tools have changed; the index follows in the background. */
  changed(): void;
  /** Resolves when the index holds the visible tools. */
  settled(): Promise<void>;
}

/** The event loop gets its turn after this long. */
const SLICE_MS = 8;
const ANSWERS_KEPT = 500;

/** Search over the visible tools: one index, which follows changes tool by tool and never per query. */
export function createToolSearch(visible: () => VisibleTools): ToolSearch {
  const index = createSearchIndex();
  const ids = new Map<CatalogTool, number>();
  const indexed = new Map<number, CatalogTool>();
  const definitionTokens = new WeakMap<CatalogTool, number>();
  let nextId = 1;
  let work: Promise<void> | null = null;
  let isStale = true;
  /** Of the current tools. */
  let places = new Map<CatalogTool, number>();
  let catalogTokens: number | null = null;
  let tokensOfAnswers = new Map<string, number>();

  async function follow(): Promise<void> {
    await nextTurn();
    while (isStale) {
      isStale = false;
      const tools = visible();
      const current = new Map(tools.list.map(({ entry }, place) => [entry, place]));
      places = current;
      catalogTokens = null;
      tokensOfAnswers = new Map();
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
      tokensOfDefinition(entry);
      nextId += 1;
    } else if (!isVisible && id !== undefined) {
      ids.delete(entry);
      indexed.delete(id);
      index.remove(id);
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

  function tokensOfCatalog(list: readonly VisibleTool[]): number {
    catalogTokens ??= list.reduce((sum, { entry }) => sum + tokensOfDefinition(entry), 0);
    return catalogTokens;
  }

  /** Best first; equals in the order of the catalog. */
  function find({ q, server }: ToolSearchQuery, tools: VisibleTools): readonly VisibleTool[] {
    const candidates = server === undefined ? tools.list : (tools.byServer.get(server) ?? []);
    if (q.trim() === '') return candidates;
    const hits: { place: number; score: number }[] = [];
    for (const { id, score } of index.find(q)) {
      const entry = indexed.get(id);
      const place = entry === undefined ? undefined : places.get(entry);
      if (entry !== undefined && place !== undefined && (server === undefined || entry.tool.server === server)) hits.push({ place, score });
    }
    hits.sort((a, b) => b.score - a.score || a.place - b.place);
    return hits.flatMap(({ place }) => tools.list[place] ?? []);
  }

  function tokensOfAnswer(items: unknown): number {
    const text = JSON.stringify(items);
    const known = tokensOfAnswers.get(text);
    if (known !== undefined) return known;
    const tokens = countTokens(text);
    if (tokensOfAnswers.size >= ANSWERS_KEPT) tokensOfAnswers.clear();
    tokensOfAnswers.set(text, tokens);
    return tokens;
  }

  return {
    search(query, full) {
      const tools = visible();
      const found = find(query, tools);
      const page = found.slice(query.offset, query.offset + query.limit);
      const items = itemsOf(page, query.detail, full);
      const tokens = tokensOfAnswer(items);
      const end = query.offset + page.length;
      return {
        items,
        total: found.length,
        tokens,
        tokensSaved: Math.max(0, tokensOfCatalog(tools.list) - tokens),
        nextOffset: page.length > 0 && end < found.length ? end : null,
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

function itemsOf(page: readonly VisibleTool[], detail: SearchDetail, full: (tool: VisibleTool) => unknown): unknown {
  if (detail === 'full') return page.map(full);
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
