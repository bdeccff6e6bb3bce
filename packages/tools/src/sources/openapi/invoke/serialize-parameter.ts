import { AppError } from '@code-executor/platform/errors';
import type { ParameterBinding, Style } from '../binding.ts';
import { encodeReserved, encodeValue } from './percent-encoding.ts';

/** A name and a value, both encoded. */
export type Pair = readonly [name: string, value: string];

const DEEPEST = 20;
const MOST_PAIRS = 10_000;

/** The text that takes the place of `{name}` in a path. @throws AppError INVALID_ARGUMENTS */
export function pathText(parameter: ParameterBinding, value: unknown): string {
  const encode = parameter.spansSegments === true ? (text: string) => text.split('/').map(encodeValue).join('/') : encodeValue;
  if (parameter.asJson === true) return encode(JSON.stringify(value));
  const name = encodeValue(parameter.name);
  const { style, explode } = parameter;
  const members = membersOf(value, parameter, encode);
  if (style === 'matrix') {
    if (members.kind === 'scalar') return members.value === '' ? `;${name}` : `;${name}=${members.value}`;
    if (!explode) return `;${name}=${flat(members).join(',')}`;
    if (members.kind === 'list') return members.values.map((item) => `;${name}=${item}`).join('');
    return members.entries.map(([key, item]) => `;${key}=${item}`).join('');
  }
  if (style === 'label') {
    if (members.kind === 'scalar') return `.${members.value}`;
    return `.${explode ? exploded(members).join('.') : flat(members).join(',')}`;
  }
  return simple(members, explode);
}

/** The value of a header. @throws AppError INVALID_ARGUMENTS */
export function headerText(parameter: ParameterBinding, value: unknown): string {
  const text =
    parameter.asJson === true
      ? JSON.stringify(value)
      : simple(
          membersOf(value, parameter, (item) => item),
          parameter.explode,
        );
  // biome-ignore lint/suspicious/noControlCharactersInRegex: what a header cannot hold
  if (/[\u0000-\u0008\u000a-\u001f\u007f]|[^\u0000-\u00ff]/.test(text)) {
    throw invalid(parameter.argument, 'goes into a header, which holds no line breaks, control characters or characters beyond Latin-1');
  }
  return text.trim();
}

/** What a query parameter, a form field or a cookie comes to: none, one or several pairs. @throws AppError INVALID_ARGUMENTS */
export function pairsOf(parameter: Omit<ParameterBinding, 'in'>, value: unknown): Pair[] {
  const encode = parameter.allowReserved === true ? encodeReserved : encodeValue;
  const name = encodeValue(parameter.name);
  if (parameter.asJson === true) return [[name, encode(JSON.stringify(value))]];
  const { style, explode } = parameter;
  if (style === 'deepObject') return deepPairs(parameter.name, value, encode);
  if (typeof value === 'object' && value !== null && !isFlat(value)) return deepPairs(parameter.name, value, encode);
  const members = membersOf(value, parameter, encode);
  if (members.kind === 'scalar') return [[name, members.value]];
  if (explode) return members.kind === 'list' ? members.values.map((item): Pair => [name, item]) : [...members.entries];
  const parts = flat(members);
  return parts.length === 0 && style !== 'form' ? [] : [[name, parts.join(DELIMITERS[style] ?? ',')]];
}

const DELIMITERS: Partial<Record<Style, string>> = { spaceDelimited: '%20', pipeDelimited: '%7C', tabDelimited: '%09' };

/**
 * `filter[state]=open`, and deeper as most servers read it: `items[0][price]=5`, `expand[]=customer`. Lists of plain values go without numbers,
 * because readers such as `qs` stop counting at 20.
 */
export function deepPairs(name: string, value: unknown, encode: (text: string) => string = encodeValue): Pair[] {
  const pairs: Pair[] = [];
  const add = (key: string, item: unknown, depth: number): void => {
    if (depth > DEEPEST || pairs.length > MOST_PAIRS) throw invalid(name, 'nests too deep or holds too much for a query or form');
    if (typeof item !== 'object' || item === null) pairs.push([encodeValue(key), item === null ? '' : encode(String(item))]);
    else if (Array.isArray(item)) {
      const isPlain = item.every((member) => typeof member !== 'object' || member === null);
      for (const [index, member] of item.entries()) add(isPlain ? `${key}[]` : `${key}[${index}]`, member, depth + 1);
    } else for (const [member, child] of Object.entries(item)) if (child !== undefined) add(`${key}[${member}]`, child, depth + 1);
  };
  add(name, value, 0);
  return pairs;
}

type Members =
  | { readonly kind: 'scalar'; readonly value: string }
  | { readonly kind: 'list'; readonly values: readonly string[] }
  | { readonly kind: 'map'; readonly entries: readonly Pair[] };

function membersOf(value: unknown, { argument }: Pick<ParameterBinding, 'argument'>, encode: (text: string) => string): Members {
  if (typeof value !== 'object' || value === null) return { kind: 'scalar', value: encode(String(value ?? '')) };
  const text = (item: unknown): string => {
    if (typeof item === 'object' && item !== null)
      throw invalid(argument, 'holds a list or object within another, which its place cannot carry');
    return encode(String(item ?? ''));
  };
  if (Array.isArray(value)) return { kind: 'list', values: value.map(text) };
  return {
    kind: 'map',
    entries: Object.entries(value)
      .filter(([, item]) => item !== undefined)
      .map(([key, item]) => [encode(key), text(item)]),
  };
}

const simple = (members: Members, explode: boolean): string =>
  members.kind === 'scalar' ? members.value : (explode ? exploded(members) : flat(members)).join(',');

/** `R,100,G,200`. */
const flat = (members: Exclude<Members, { kind: 'scalar' }>): readonly string[] =>
  members.kind === 'list' ? members.values : members.entries.flat();

/** `R=100`, `G=200`. */
const exploded = (members: Exclude<Members, { kind: 'scalar' }>): readonly string[] =>
  members.kind === 'list' ? members.values : members.entries.map(([key, item]) => `${key}=${item}`);

const isFlat = (value: object): boolean => Object.values(value).every((item) => typeof item !== 'object' || item === null);

export const invalid = (argument: string, why: string): AppError =>
  new AppError('INVALID_ARGUMENTS', `Argument ${JSON.stringify(argument.slice(0, 100))} ${why}`);
