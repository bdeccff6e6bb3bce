import type { ToolDefinition } from '@code-executor/contracts';
import { normaliseWord } from './words.ts';

/** What a tool does to what it is about, and what somebody wants done. */
type Intent = 'read' | 'create' | 'update' | 'delete';

const VERBS: Readonly<Record<Intent, string>> = {
  read: `get list read show find search look lookup query fetch retrieve see view describe check watch download export count compare filter all found seen
    what which who whose when where why how is are does did`,
  create: `create add new insert make post put open register send upload write save publish share book give invite import start run kick
    launch trigger submit request generate issue copy duplicate clone fork subscribe pin star bookmark remember assign attach buy place
    reply comment set mute schedule remind approve filter`,
  update: `update edit change replace patch modify set rename move lower raise lift accept approve merge mark switch turn put`,
  delete: `delete remove destroy drop clear cancel revoke end stop throw kick erase unset undo unassign detach close archive`,
};

/** One bit each; none: it does not say. */
export type Intents = number;
const BITS: Readonly<Record<Intent, Intents>> = { read: 1, create: 2, update: 4, delete: 8 };

const intentsOfVerb = new Map<string, Intents>();
for (const [intent, words] of Object.entries(VERBS)) {
  for (const word of words.split(/\s+/)) {
    const stem = normaliseWord(word) ?? word;
    intentsOfVerb.set(stem, (intentsOfVerb.get(stem) ?? 0) | BITS[intent as Intent]);
  }
}

const SAME = 1.3;
const OTHER = 0.7;
const LIKELY = 1.1;

/** By the first word that says what is wanted. Stems, in their order. */
export function intentOf(terms: readonly string[]): Intents {
  for (const term of terms) {
    const found = intentsOfVerb.get(term);
    if (found !== undefined) return found;
  }
  return 0;
}

/** These are nouns, or say how many, where they stand in a name. */
const NO_VERBS_IN_NAMES = new Set(['issue', 'all'].map((word) => normaliseWord(word) ?? word));

/** What a tool does, by the verbs of its name, else by what it says of itself. */
export function intentOfTool(name: readonly string[], { annotations }: ToolDefinition): Intents {
  const found = intentOf(name.filter((term) => !NO_VERBS_IN_NAMES.has(term)));
  return found === 0 && annotations?.readOnlyHint === true ? BITS.read : found;
}

/** How much a tool counts more, or less, for what is wanted. Who names a thing and nothing to be done with it wants to see it. */
export function intentFactor(wanted: Intents, does: Intents): number {
  if (does === 0) return 1;
  if (wanted === 0) return (does & BITS.read) === 0 ? 1 : LIKELY;
  return (wanted & does) === 0 ? OTHER : SAME;
}
