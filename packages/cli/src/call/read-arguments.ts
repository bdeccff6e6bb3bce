import { UsageError } from '../command/command.ts';
import { nearest } from '../command/nearest.ts';
import { jsonObject } from '../command/option-values.ts';
import type { Terminal } from '../terminal/terminal.ts';
import { typedValue } from './typed-value.ts';

/** Ours among the tool's own, unless its schema has one of the same name. */
const OURS = ['json', 'wait', 'help'];

export interface ReadArguments {
  readonly args: Record<string, unknown>;
  readonly own: ReadonlySet<string>;
}

export interface ObjectSchema {
  readonly properties?: Readonly<Record<string, unknown>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: unknown;
}

/** What follows the tool: one JSON object, or `--key value` by the types of its schema, or both (the latter win). */
export function readArguments(rest: readonly string[], inputSchema: unknown, terminal: Terminal): ReadArguments {
  const schema = (inputSchema ?? {}) as ObjectSchema;
  const properties = schema.properties ?? {};
  const own = new Set<string>();
  let args: Record<string, unknown> = {};
  const given = new Map<string, string[]>();
  for (let at = 0; at < rest.length; at += 1) {
    const word = rest[at] ?? '';
    if (!word.startsWith('--')) {
      if (word === '-h') own.add('help');
      else if (Object.keys(args).length > 0)
        throw new UsageError(`${JSON.stringify(word)} is too much: the arguments are one JSON object.`);
      else args = jsonObject(word === '-' ? terminal.readStdin() : word, 'The arguments');
      continue;
    }
    const [written = '', ...behind] = word.slice(2).split('=');
    const name = nameOf(written, properties);
    if (name === null) {
      if (!OURS.includes(written)) throw unknownArgument(written, schema);
      own.add(written);
      continue;
    }
    let value = behind.length === 0 ? null : behind.join('=');
    if (value === null && isFlag(properties[name], rest[at + 1])) value = 'true';
    if (value === null) {
      at += 1;
      value = rest[at] ?? null;
    }
    if (value === null) throw new UsageError(`--${written} needs a value.`);
    given.set(name, [...(given.get(name) ?? []), value]);
  }
  for (const [name, values] of given) setOwn(args, name, typedValue(values, properties[name], `--${name}`));
  return { args, own };
}

/** `--dry-run` is `dry_run` or `dryRun` where the schema says so. A schema that is open takes any name. */
function nameOf(written: string, properties: Readonly<Record<string, unknown>>): string | null {
  if (Object.hasOwn(properties, written)) return written;
  const plain = (text: string): string => text.replaceAll(/[-_]/g, '').toLowerCase();
  return Object.keys(properties).find((name) => plain(name) === plain(written)) ?? null;
}

function unknownArgument(written: string, { properties = {} }: ObjectSchema): UsageError {
  const names = Object.keys(properties);
  const near = nearest(written, names);
  const those = names.length === 0 ? 'it takes none' : `it takes ${names.map((name) => `--${name}`).join(', ')}`;
  return new UsageError(`The tool has no argument --${written}; ${near === null ? those : `did you mean --${near}? (${those})`}.`);
}

function isFlag(schema: unknown, next: string | undefined): boolean {
  const type = (schema as { type?: unknown } | undefined)?.type;
  return type === 'boolean' && next !== 'true' && next !== 'false';
}

/** A name such as `__proto__` is a property like any other. */
function setOwn(target: Record<string, unknown>, name: string, value: unknown): void {
  Object.defineProperty(target, name, { value, enumerable: true, configurable: true, writable: true });
}
