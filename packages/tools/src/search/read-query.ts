import { type Intents, intentOf } from './intent.ts';
import { phraseAt, productsOf, synonymsOf } from './synonyms.ts';
import { normaliseWord, splitWords } from './words.ts';

/** One thing that is asked for: a word, and the words that would be an answer too, each with how much it counts. */
export interface Slot {
  /** As it was written; expanded to words that begin with it, or are one slip of the pen away. Null: of a phrase. */
  readonly term: string | null;
  readonly alternatives: readonly { readonly text: string; readonly factor: number }[];
}

export interface ReadQuery {
  readonly slots: readonly Slot[];
  /** Stems that may name an integration. */
  readonly products: ReadonlySet<string>;
  readonly intent: Intents;
}

const MOST_SLOTS = 12;
const PHRASE_WORD_FACTOR = 0.4;

/** Words that say nothing of what is looked for. */
const STOP_WORDS = new Set(
  `a an the this that these those it its of to in on at for from with by into onto out up about as and or but not no than then so if
  is are be was were been am do does did done has have had can could cannot may might must shall should will would
  what which who whom whose when where why how there here now right again any some something anything thing every each all both more most
  i me my mine you your we us our ours they them their he she his her one somebody someone anybody please want need like let give tell
  today tomorrow yesterday tonight morning afternoon evening day week month soon upcoming
  have put way ways through via using use single certain given found got made`
    .split(/\s+/)
    .map((word) => normaliseWord(word) ?? word),
);

/** What a query asks for. One that is made of nothing but small words is taken as it stands. */
export function readQuery(query: string): ReadQuery {
  const all = splitWords(query).flatMap((word) => normaliseWord(word) ?? []);
  const slots: Slot[] = [];
  const seen = new Set<string>();
  const isTelling = all.some((term) => !STOP_WORDS.has(term));
  for (let index = 0; index < all.length && slots.length < MOST_SLOTS; index += 1) {
    const phrase = phraseAt(all, index);
    if (phrase !== null) {
      slots.push(phraseSlot(all.slice(index, index + phrase.length), phrase.meaning));
      index += phrase.length - 1;
      continue;
    }
    const term = all[index] ?? '';
    if (seen.has(term) || (isTelling && STOP_WORDS.has(term))) continue;
    seen.add(term);
    slots.push({ term, alternatives: [...synonymsOf(term)].map(([text, factor]) => ({ text, factor })) });
  }
  return { slots, products: new Set(all.flatMap((term) => [term, ...productsOf(term)])), intent: intentOf(all) };
}

function phraseSlot(words: readonly string[], meaning: readonly string[]): Slot {
  const literal = words.filter((word) => !STOP_WORDS.has(word)).map((text) => ({ text, factor: PHRASE_WORD_FACTOR }));
  return { term: null, alternatives: [...meaning.map((text) => ({ text, factor: 1 })), ...literal] };
}
