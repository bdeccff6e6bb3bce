import type { ToolDefinition } from '@code-executor/contracts';
import { normaliseWord, splitWords } from './words.ts';

/** How much a word counts in a field, and how long the field usually is: in a longer one a word counts less. */
const FIELDS = {
  name: { boost: 4, usualWords: 3 },
  server: { boost: 2, usualWords: 1 },
  title: { boost: 2, usualWords: 4 },
  summary: { boost: 3, usualWords: 10 },
  description: { boost: 0.6, usualWords: 40 },
  parameters: { boost: 0.4, usualWords: 10 },
} as const;
type Field = keyof typeof FIELDS;
const FIELD_NAMES = Object.keys(FIELDS) as Field[];

const SATURATION = 1.2;
const LENGTH_WEIGHT = 0.6;
const DESCRIPTION_LIMIT = 2_000;
const SUMMARY_LIMIT = 200;

export interface ToolTerms {
  /** Each word of the tool with its weight. */
  readonly weights: ReadonlyMap<string, number>;
  /** The words of the name alone, without those that join others. */
  readonly name: readonly string[];
  readonly server: readonly string[];
}

/** The words by which a tool is found. */
export function toolTerms(tool: ToolDefinition): ToolTerms {
  const weights = new Map<string, number>();
  const description = tool.description.slice(0, DESCRIPTION_LIMIT);
  const summary = firstSentence(description);
  const texts: Readonly<Record<Field, string>> = {
    name: tool.name,
    server: tool.server,
    title: tool.title ?? '',
    summary,
    description: description.slice(summary.length),
    parameters: parameterText(tool.inputSchema),
  };
  for (const field of FIELD_NAMES) {
    const { boost, usualWords } = FIELDS[field];
    const words = allTerms(texts[field]);
    const each = boost / (1 - LENGTH_WEIGHT + (LENGTH_WEIGHT * words.length) / usualWords);
    for (const word of words) weights.set(word, (weights.get(word) ?? 0) + each);
  }
  for (const [term, sum] of weights) weights.set(term, (sum * (SATURATION + 1)) / (sum + SATURATION));
  return { weights, name: nameTerms(tool.name), server: [...new Set(allTerms(tool.server))] };
}

const allTerms = (text: string): string[] => splitWords(text).flatMap((word) => normaliseWord(word) ?? []);

/** Parts of words, not the words they are parts of: `getUser` is `get` and `user`. */
function nameTerms(name: string): string[] {
  const parts = name.match(/\p{Lu}+(?!\p{Ll})|\p{Lu}?[\p{Ll}\p{Lo}\p{Lm}\p{M}]+/gu) ?? [];
  return [...new Set(parts.flatMap((part) => normaliseWord(part) ?? []))];
}

const firstSentence = (text: string): string =>
  (/^[\s\S]{0,200}?[.!?\n](?=\s|$)/.exec(text)?.[0] ?? text.slice(0, SUMMARY_LIMIT)).slice(0, SUMMARY_LIMIT);

function parameterText(schema: ToolDefinition['inputSchema']): string {
  const properties = typeof schema === 'object' ? schema.properties : undefined;
  return typeof properties === 'object' && properties !== null ? Object.keys(properties).slice(0, 50).join(' ') : '';
}
