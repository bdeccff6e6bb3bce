import type { ToolDefinition } from '@code-executor/contracts';
import { expandTerm } from './expand-term.ts';
import { intentFactor, intentOfTool } from './intent.ts';
import { readQuery, type Slot } from './read-query.ts';
import { toolTerms } from './tool-terms.ts';

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
  /** Every tool that has one of the words, a word of the same meaning, its beginning, or a word one letter away. No order. */
  find(query: string): readonly SearchHit[];
}

/** Postings of removed tools are swept out when they are this part of all. */
const DEAD_PART = 0.25;
/** A tool of an integration that the query names. */
const MEANT_SERVER_FACTOR = 1.6;
/** A name that is told in full counts so much more than one of which only a part is asked for. */
const FULL_NAME_BONUS = 0.6;
const DISCOURAGED_FACTOR = 0.8;
/** Of the best ones the names are looked at. */
const LOOKED_AT = 300;
const STEPS = 200;
/** A word that stands for another one is worth little more than the other one, however rare it is itself. */
const RARER_BY_MEANING = 1.25;
/** A word of so many tools, and of this part of all, says nothing where it only stands for another. */
const COMMON = 500;
const COMMON_PART = 0.25;

interface Postings {
  ids: number[];
  weights: number[];
}

/** What is known of each tool besides its words, by its id, in arrays that a query runs through. */
interface Tools {
  names: (readonly string[] | undefined)[];
  /** Index into the distinct servers. */
  server: Int32Array;
  does: Uint8Array;
  /** Of what is said to be old, or not to be relied on yet. */
  factor: Float64Array;
}

export function createSearchIndex(): SearchIndex {
  const postings = new Map<string, Postings>();
  const tools: Tools = { names: [], server: new Int32Array(1024), does: new Uint8Array(1024), factor: new Float64Array(1024) };
  const servers: string[] = [];
  const serverTerms: (readonly string[])[] = [];
  let alive = 0;
  let dead = new Set<number>();
  let vocabulary: readonly string[] | null = null;
  let scores = new Float64Array(1024);
  let best = new Float64Array(1024);
  let lastSlot = new Int32Array(1024);
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
    tools.server = grown(tools.server, new Int32Array(length));
    tools.does = grown(tools.does, new Uint8Array(length));
    tools.factor = grown(tools.factor, new Float64Array(length));
    scores = new Float64Array(length);
    best = new Float64Array(length);
    lastSlot = new Int32Array(length);
    matches = new Uint8Array(length);
  }

  const rarityOf = (count: number): number => Math.log(1 + (alive - count + 0.5) / (count + 0.5) + 0.01);

  /** The words that a slot stands for, each with how much it counts. */
  function wordsOf({ term, alternatives }: Slot): ReadonlyMap<string, number> {
    const words = new Map<string, number>();
    const own = term === null ? [] : expandTerm(term, sortedVocabulary(), (text) => postings.has(text));
    for (const { text, factor } of [...own, ...alternatives]) {
      const count = postings.get(text)?.ids.length ?? 0;
      if (count > 0 && (factor === 1 || count < COMMON || count < alive * COMMON_PART))
        words.set(text, Math.max(words.get(text) ?? 0, factor));
    }
    return words;
  }

  /** Of all words that a slot stands for, a tool gets the best one. */
  function score(text: string, factor: number, mostRarity: number, slot: number, touched: number[]): void {
    const list = postings.get(text);
    if (list === undefined) return;
    const rarity = Math.min(rarityOf(list.ids.length), mostRarity) * factor;
    for (let index = 0; index < list.ids.length; index += 1) {
      const id = list.ids[index] ?? 0;
      const gain = rarity * (list.weights[index] ?? 0);
      if (lastSlot[id] === 0) touched.push(id);
      if (lastSlot[id] !== slot) {
        lastSlot[id] = slot;
        best[id] = gain;
        scores[id] = (scores[id] ?? 0) + gain;
        matches[id] = (matches[id] ?? 0) + 1;
      } else if (gain > (best[id] ?? 0)) {
        scores[id] = (scores[id] ?? 0) + gain - (best[id] ?? 0);
        best[id] = gain;
      }
    }
  }

  /** How much of a name the query tells, by how rare its words are. */
  function told(name: readonly string[], words: ReadonlyMap<string, number>): number {
    let all = 0;
    let known = 0;
    for (const term of name) {
      const rarity = rarityOf(postings.get(term)?.ids.length ?? 0);
      all += rarity;
      known += rarity * (words.get(term) ?? 0);
    }
    return all === 0 ? 0 : known / all;
  }

  function numberOf(server: string, terms: readonly string[]): number {
    const known = servers.indexOf(server);
    if (known !== -1) return known;
    serverTerms.push(terms);
    return servers.push(server) - 1;
  }

  return {
    add(id, tool) {
      grow(id);
      const { weights, name, server } = toolTerms(tool);
      alive += 1;
      tools.names[id] = name;
      tools.server[id] = numberOf(tool.server, server);
      tools.does[id] = intentOfTool(name, tool);
      tools.factor[id] = isDiscouraged(tool) ? DISCOURAGED_FACTOR : 1;
      for (const [term, weight] of weights) {
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
      if (tools.names[id] === undefined) return;
      tools.names[id] = undefined;
      alive -= 1;
      dead.add(id);
      if (dead.size > 100 && dead.size > (alive + dead.size) * DEAD_PART) sweep();
    },
    find(query) {
      const { slots, products, intent } = readQuery(query.slice(0, 1_000));
      const touched: number[] = [];
      const words = new Map<string, number>();
      for (const [index, slot] of slots.entries()) {
        const own = slot.term === null ? undefined : postings.get(slot.term);
        const mostRarity = own === undefined ? Number.POSITIVE_INFINITY : rarityOf(own.ids.length) * RARER_BY_MEANING;
        for (const [text, factor] of wordsOf(slot)) {
          score(text, factor, mostRarity, index + 1, touched);
          words.set(text, Math.max(words.get(text) ?? 0, factor));
        }
      }
      const isMeant = serverTerms.map((terms) => terms.some((term) => products.has(term)));
      const hits: { id: number; score: number }[] = [];
      for (const id of touched) {
        if (tools.names[id] !== undefined) {
          // A tool with all of the words comes before one that has a single rare one.
          const coverage = 0.3 + (0.7 * (matches[id] ?? 0)) / slots.length;
          const server = isMeant[tools.server[id] ?? 0] === true ? MEANT_SERVER_FACTOR : 1;
          const factor = coverage * server * intentFactor(intent, tools.does[id] ?? 0) * (tools.factor[id] ?? 1);
          hits.push({ id, score: (scores[id] ?? 0) * factor });
        }
        scores[id] = 0;
        lastSlot[id] = 0;
        matches[id] = 0;
      }
      const least = scoreOfPlace(hits, LOOKED_AT);
      for (const hit of hits) {
        if (hit.score >= least) hit.score *= 1 + FULL_NAME_BONUS * told(tools.names[hit.id] ?? [], words);
      }
      return hits;
    },
  };
}

const isDiscouraged = ({ name, description }: ToolDefinition): boolean =>
  /deprecated/i.test(description.slice(0, 400)) || /(?:^|[^a-z])(?:legacy|v\d+(?:alpha|beta)\d*)/i.test(name);

function grown<Kind extends Int32Array | Uint8Array | Float64Array>(from: Kind, to: Kind): Kind {
  to.set(from);
  return to;
}

/** A score that about so many hits reach, by counting them into steps of it. */
function scoreOfPlace(hits: readonly SearchHit[], place: number): number {
  if (hits.length <= place) return 0;
  let most = 0;
  for (const { score } of hits) if (score > most) most = score;
  const steps = new Int32Array(STEPS + 1);
  for (const { score } of hits) {
    const step = Math.trunc((score / most) * STEPS);
    steps[step] = (steps[step] ?? 0) + 1;
  }
  let reached = 0;
  for (let step = STEPS; step > 0; step -= 1) {
    reached += steps[step] ?? 0;
    if (reached >= place) return (step / STEPS) * most;
  }
  return 0;
}
