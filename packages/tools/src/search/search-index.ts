import type { ToolDefinition } from '@code-executor/contracts';
import MiniSearch from 'minisearch';
import { normaliseWord, splitWords } from './words.ts';

/** Texts of one tool by what they are. */
interface ToolDocument {
  readonly id: number;
  readonly name: string;
  readonly server: string;
  readonly title: string;
  readonly description: string;
  readonly parameters: string;
}

export interface SearchIndex {
  add(id: number, tool: ToolDefinition): void;
  remove(id: number): void;
  /** Ids of what fits, with its score. No order. */
  find(query: string): readonly { readonly id: number; readonly score: number }[];
}

const FIELDS = ['name', 'server', 'title', 'description', 'parameters'] as const;
const BOOST = { name: 5, server: 2, title: 3, description: 1.2, parameters: 0.6 };
const DESCRIPTION_LIMIT = 2_000;
const QUERY_WORDS = 12;

export function createSearchIndex(): SearchIndex {
  const index = new MiniSearch<ToolDocument>({
    fields: [...FIELDS],
    tokenize: splitWords,
    processTerm: normaliseWord,
    searchOptions: {
      boost: BOOST,
      prefix: (term) => term.length >= 3,
      // Short words have too many neighbours one letter away.
      fuzzy: (term) => (term.length >= 5 ? 1 : false),
      weights: { prefix: 0.4, fuzzy: 0.3 },
    },
  });
  return {
    add: (id, tool) => index.add(documentOf(id, tool)),
    remove: (id) => index.discard(id),
    find: (query) =>
      index.search([...new Set(splitWords(query))].slice(0, QUERY_WORDS).join(' ')).map(({ id, score }) => ({ id: id as number, score })),
  };
}

function documentOf(id: number, tool: ToolDefinition): ToolDocument {
  return {
    id,
    name: tool.name,
    server: tool.server,
    title: tool.title ?? '',
    description: tool.description.slice(0, DESCRIPTION_LIMIT),
    parameters: parameterText(tool.inputSchema),
  };
}

function parameterText(schema: ToolDefinition['inputSchema']): string {
  const properties = typeof schema === 'object' ? schema.properties : undefined;
  if (typeof properties !== 'object' || properties === null) return '';
  const words: string[] = [];
  for (const [name, property] of Object.entries(properties as Record<string, unknown>).slice(0, 50)) {
    words.push(name);
    const description = typeof property === 'object' && property !== null && 'description' in property ? property.description : undefined;
    if (typeof description === 'string') words.push(description.slice(0, 300));
  }
  return words.join(' ');
}
