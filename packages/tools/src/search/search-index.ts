import type { ToolDefinition } from '@code-executor/contracts';
import { type ExpandedTerm, expandTerm } from './expand-term.ts';
import { normaliseWord, splitWords } from './words.ts';

export interface SearchHit {
  readonly id: number;
  readonly score: number;
}

/**
 * An inverted index with BM25 weights over the fields of a tool. Library indexes that build an object for each match took
 * 20 to 60 ms for two or three common words among 10,000 tools; this one adds numbers into one array.
 */
export interface SearchIndex {
  add(id: number, tool: ToolDefinition): void;
  remove(id: number): void;
  /** Every tool that has one of the words, its beginning, or a word one letter away. No order. */
  find(query: string): readonly SearchHit[];
}

/** How much a word counts in a field, and how long the field usually is: in a longer one a word counts less. */
const FIELDS = {
  name: { boost: 5, usualWords: 3 },
  server: { boost: 2, usualWords: 1 },
  title: { boost: 2, usualWords: 4 },
  description: { boost: 1.2, usualWords: 25 },
  parameters: { boost: 0.5, usualWords: 30 },
} as const;
const SATURATION = 1.2;
const LENGTH_WEIGHT = 0.6;
const DESCRIPTION_LIMIT = 2_000;
const QUERY_WORDS = 12;
/** Postings of removed tools are swept out when they are this part of all. */
const DEAD_PART = 0.25;

interface Postings {
  ids: number[];
  weights: number[];
}

export function createSearchIndex(): SearchIndex {
  const postings = new Map<string, Postings>();
  const alive = new Set<number>();
  let dead = new Set<number>();
  let vocabulary: readonly string[] | null = null;
  let scores = new Float64Array(1024);
  let best = new Float64Array(1024);
  let lastTerm = new Int32Array(1024);
  let matches = new Uint8Array(1024);

  function sweep(): void {
    for (const [term, list] of postings) {
      const kept = list.ids.flatMap((id, index) => (dead.has(id) ? [] : [index]));
      if (kept.length === 0) postings.delete(term);
      else if (kept.length < list.ids.length) {
        postings.set(term, { ids: kept.map((index) => list.ids[index] ?? 0), weights: kept.map((index) => list.weights[index] ?? 0) });
      }
    }
    dead = new Set();
    vocabulary = null;
  }

  function sortedVocabulary(): readonly string[] {
    vocabulary ??= [...postings.keys()].sort();
    return vocabulary;
  }

  function grow(id: number): void {
    if (id < scores.length) return;
    const length = Math.max(id + 1, scores.length * 2);
    scores = new Float64Array(length);
    best = new Float64Array(length);
    lastTerm = new Int32Array(length);
    matches = new Uint8Array(length);
  }

  /** Of all words that one word of the query stands for, a tool gets the best one. */
  function score(term: ExpandedTerm, number: number, touched: number[]): void {
    const list = postings.get(term.text);
    if (list === undefined) return;
    const rarity = Math.log(1 + (alive.size - list.ids.length + 0.5) / (list.ids.length + 0.5) + 0.01) * term.factor;
    for (let index = 0; index < list.ids.length; index += 1) {
      const id = list.ids[index] ?? 0;
      const gain = rarity * (list.weights[index] ?? 0);
      if (lastTerm[id] === 0) touched.push(id);
      if (lastTerm[id] !== number) {
        lastTerm[id] = number;
        best[id] = gain;
        scores[id] = (scores[id] ?? 0) + gain;
        matches[id] = (matches[id] ?? 0) + 1;
      } else if (gain > (best[id] ?? 0)) {
        scores[id] = (scores[id] ?? 0) + gain - (best[id] ?? 0);
        best[id] = gain;
      }
    }
  }

  return {
    add(id, tool) {
      grow(id);
      alive.add(id);
      for (const [term, weight] of weightsOf(tool)) {
        const list = postings.get(term);
        if (list === undefined) {
          postings.set(term, { ids: [id], weights: [weight] });
          vocabulary = null;
        } else {
          list.ids.push(id);
          list.weights.push(weight);
        }
      }
    },
    remove(id) {
      if (!alive.delete(id)) return;
      dead.add(id);
      if (dead.size > 100 && dead.size > (alive.size + dead.size) * DEAD_PART) sweep();
    },
    find(query) {
      const terms = termsOf(query.slice(0, 1_000)).slice(0, QUERY_WORDS);
      const touched: number[] = [];
      for (const [index, term] of terms.entries()) {
        for (const expanded of expandTerm(term, sortedVocabulary(), (text) => postings.has(text))) score(expanded, index + 1, touched);
      }
      const hits: SearchHit[] = [];
      for (const id of touched) {
        // A tool with all of the words comes before one that has a single rare one.
        if (!dead.has(id)) hits.push({ id, score: (scores[id] ?? 0) * (0.4 + (0.6 * (matches[id] ?? 0)) / terms.length) });
        scores[id] = 0;
        lastTerm[id] = 0;
        matches[id] = 0;
      }
      return hits;
    },
  };
}

function weightsOf(tool: ToolDefinition): Map<string, number> {
  const frequency = new Map<string, number>();
  const texts = {
    name: tool.name,
    server: tool.server,
    title: tool.title ?? '',
    description: tool.description.slice(0, DESCRIPTION_LIMIT),
    parameters: parameterText(tool.inputSchema),
  };
  for (const field of ['name', 'server', 'title', 'description', 'parameters'] as const) {
    const { boost, usualWords } = FIELDS[field];
    const words = allTerms(texts[field]);
    const each = boost / (1 - LENGTH_WEIGHT + (LENGTH_WEIGHT * words.length) / usualWords);
    for (const word of words) frequency.set(word, (frequency.get(word) ?? 0) + each);
  }
  for (const [term, sum] of frequency) frequency.set(term, (sum * (SATURATION + 1)) / (sum + SATURATION));
  return frequency;
}

const allTerms = (text: string): string[] => splitWords(text).flatMap((word) => normaliseWord(word) ?? []);
const termsOf = (query: string): string[] => [...new Set(allTerms(query))];

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
