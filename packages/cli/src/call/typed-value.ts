import { UsageError } from '../command/command.ts';

interface ValueSchema {
  readonly type?: string | readonly string[];
  readonly items?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly unknown[];
  readonly oneOf?: readonly unknown[];
}

/** What was typed, as the type that the schema says. @throws UsageError where it is none. */
export function typedValue(values: readonly string[], schema: unknown, option: string): unknown {
  const types = typesOf(schema);
  if (types.has('array') && !(values.length === 1 && values[0]?.trimStart().startsWith('['))) {
    return values.map((value) => single(value, (schema as ValueSchema).items, option));
  }
  if (values.length > 1) throw new UsageError(`${option} is given ${values.length} times and is no list.`);
  return single(values[0] ?? '', schema, option);
}

function single(text: string, schema: unknown, option: string): unknown {
  const types = typesOf(schema);
  if (types.size === 0) return looseValue(text);
  if ((types.has('number') || types.has('integer')) && isNumber(text, types)) return Number(text);
  if (types.has('boolean') && (text === 'true' || text === 'false')) return text === 'true';
  if (types.has('null') && text === 'null') return null;
  if ((types.has('object') && text.trimStart().startsWith('{')) || (types.has('array') && text.trimStart().startsWith('['))) {
    try {
      return JSON.parse(text);
    } catch (error) {
      throw new UsageError(`${option} is no JSON: ${error instanceof Error ? error.message : String(error)}.`);
    }
  }
  if (types.has('string')) return text;
  throw new UsageError(`${option} must be of type ${[...types].join(' or ')}, not ${JSON.stringify(text)}.`);
}

function isNumber(text: string, types: ReadonlySet<string>): boolean {
  if (text.trim() === '' || !Number.isFinite(Number(text))) return false;
  return types.has('number') || Number.isInteger(Number(text));
}

function typesOf(schema: unknown): ReadonlySet<string> {
  const { type, enum: choices, anyOf, oneOf } = (schema ?? {}) as ValueSchema;
  if (typeof type === 'string') return new Set([type]);
  if (Array.isArray(type)) return new Set(type as string[]);
  if (choices !== undefined) return new Set(choices.map((choice) => (choice === null ? 'null' : typeof choice)));
  return new Set([...(anyOf ?? []), ...(oneOf ?? [])].flatMap((option) => [...typesOf(option)]));
}

/** Of a schema that says nothing: JSON where it is some, else text. */
function looseValue(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
