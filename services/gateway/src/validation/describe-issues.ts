import { nearest } from '@code-executor/platform';
import { z } from 'zod';

/** One thing that is wrong with a request: what `details` of an INVALID_REQUEST lists. */
export interface FieldProblem {
  /** `files["a.ts"]`, `limit`; empty for the whole part. */
  readonly path: string;
  readonly message: string;
}

/** Problems beyond these say nothing new. */
const PROBLEM_LIMIT = 20;

/**
 * What zod found, as sentences for the one who wrote the request: each names the field, what it must be (from the schema
 * itself, so ranges and choices are always there) and what it is. `part` is `body`, `query` or `path`.
 */
export function describeIssues(schema: z.ZodType, issues: readonly z.core.$ZodIssue[], data: unknown, part: string): FieldProblem[] {
  // A misspelt field is unknown and the one that was meant is missing: the first says what to do.
  const ordered = [...issues].sort((left, right) => Number(isUnknown(right)) - Number(isUnknown(left)));
  return ordered
    .flatMap((issue) => (isUnknown(issue) ? unknownFields(schema, issue, data, part) : [problemOf(schema, issue, data, part)]))
    .slice(0, PROBLEM_LIMIT);
}

const isUnknown = (issue: z.core.$ZodIssue): issue is z.core.$ZodIssueUnrecognizedKeys => issue.code === 'unrecognized_keys';

function unknownFields(schema: z.ZodType, issue: z.core.$ZodIssueUnrecognizedKeys, data: unknown, part: string): FieldProblem[] {
  const object = schemaAt(schema, issue.path, data);
  const known = Object.keys(shapeOf(object) ?? {});
  const advice = object?.description === undefined ? '' : ` ${object.description}`;
  const place = issue.path.length === 0 ? `the ${part}` : quoted(pathText(issue.path));
  return issue.keys.map((key) => {
    const meant = nearest(key, known);
    const hint = meant === null ? '' : ` Did you mean ${quoted(meant)}?`;
    const list = known.length === 0 ? 'It takes no fields.' : `Known fields: ${known.join(', ')}.`;
    return { path: pathText([...issue.path, key]), message: `Unknown field ${quoted(key)} in ${place}.${hint} ${list}${advice}` };
  });
}

function problemOf(schema: z.ZodType, issue: z.core.$ZodIssue, data: unknown, part: string): FieldProblem {
  const path = pathText(issue.path);
  const actual = valueAt(data, issue.path);
  if (issue.code === 'custom') return { path, message: path === '' ? issue.message : `Field ${quoted(path)} ${issue.message}.` };
  const expected = expectedOf(schemaAt(schema, issue.path, data)) ?? issue.message;
  const subject = path === '' ? `The ${part}` : `Field ${quoted(path)}`;
  if (actual === undefined) return { path, message: `${subject} is missing; it must be ${expected}.` };
  if (Array.isArray(actual) && expected.startsWith('an array'))
    return { path, message: `${subject} must be ${expected}, not one of ${actual.length}.` };
  return {
    path,
    message: `${subject} must be ${expected}, not ${isWriteOnly(schema, issue.path, data) ? kindOf(actual) : describeValue(actual)}.`,
  };
}

/**
 * The schema of the field at a path, through optional, default, pipe, and the option of a union that the data has chosen;
 * undefined where the path leaves what is described.
 */
function schemaAt(root: z.ZodType, path: readonly PropertyKey[], data: unknown): z.ZodType | undefined {
  let schema: z.ZodType | undefined = root;
  for (const [depth, key] of path.entries()) {
    schema = schema && chosen(unwrapped(schema), valueAt(data, path.slice(0, depth)), key);
    const def = schema?.def as { shape?: Record<string, z.ZodType>; valueType?: z.ZodType; element?: z.ZodType } | undefined;
    schema = def?.shape && typeof key === 'string' && Object.hasOwn(def.shape, key) ? def.shape[key] : (def?.valueType ?? def?.element);
  }
  return schema && chosen(unwrapped(schema), valueAt(data, path), null);
}

/** Of a union with a discriminator, the option that the value names; where it names none, what the discriminator may be. */
function chosen(schema: z.ZodType, value: unknown, key: PropertyKey | null): z.ZodType {
  const { discriminator, options } = schema.def as { discriminator?: string; options?: readonly z.ZodType[] };
  if (discriminator === undefined || options === undefined) return schema;
  const choices = options.map((option) => ({ option, names: namesOf(shapeOf(option)?.[discriminator]) }));
  const named = valueAt(value, [discriminator]);
  const found = choices.find(({ names }) => names.includes(named));
  if (found !== undefined) return unwrapped(found.option);
  return key === discriminator ? z.object({ [discriminator]: z.enum(choices.flatMap(({ names }) => names.map(String))) }) : schema;
}

function namesOf(schema: unknown): readonly unknown[] {
  const def = (schema as z.ZodType | undefined)?.def as { values?: readonly unknown[]; entries?: Record<string, string> } | undefined;
  return def?.values ?? Object.values(def?.entries ?? {});
}

/** Whether the field is one, or lies in one, whose content is never repeated. */
function isWriteOnly(root: z.ZodType, path: readonly PropertyKey[], data: unknown): boolean {
  return path.some((_, depth) => fieldAt(root, path.slice(0, depth + 1), data)?.meta()?.writeOnly === true);
}

/** Like `schemaAt`, but the field's own schema, with what is said about it, and not the option that was chosen. */
function fieldAt(root: z.ZodType, path: readonly PropertyKey[], data: unknown): z.ZodType | undefined {
  const holder = schemaAt(root, path.slice(0, -1), data);
  const key = path.at(-1);
  return typeof key === 'string' ? (shapeOf(holder)?.[key] as z.ZodType | undefined) : undefined;
}

function unwrapped(schema: z.ZodType): z.ZodType {
  const def = schema.def as { innerType?: z.ZodType };
  return def.innerType ? unwrapped(def.innerType) : schema;
}

function shapeOf(schema: z.ZodType | undefined): Record<string, unknown> | undefined {
  return schema ? (unwrapped(schema).def as { shape?: Record<string, unknown> }).shape : undefined;
}

interface Described {
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly pattern?: string;
  readonly format?: string;
  readonly description?: string;
  readonly anyOf?: readonly Described[];
}

function expectedOf(schema: z.ZodType | undefined): string | null {
  if (!schema) return null;
  return expectedText(z.toJSONSchema(unwrapped(schema), { io: 'input', unrepresentable: 'any' }) as Described);
}

function expectedText(schema: Described): string | null {
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return `one of ${schema.enum.map((value) => JSON.stringify(value)).join(', ')}`;
  if (schema.anyOf) return schema.anyOf.map((option) => expectedText(option) ?? 'a value').join(' or ');
  switch (schema.type) {
    case 'integer':
      return `a whole number${rangeText(schema.minimum, schema.maximum)}`;
    case 'number':
      return `a number${rangeText(schema.minimum, schema.maximum)}`;
    case 'string':
      return stringText(schema);
    case 'boolean':
      return 'true or false';
    case 'object':
      return 'an object';
    case 'array':
      return `an array${sizeText(schema)}`;
    case 'null':
      return 'null';
    default:
      return null;
  }
}

function stringText(schema: Described): string {
  if (schema.format === 'uri') return 'a URL such as "https://example.org/mcp"';
  if (schema.format === 'date-time') return 'a date and time such as "2030-01-31T12:00:00Z"';
  const length =
    schema.minLength !== undefined && schema.maxLength !== undefined
      ? ` of ${schema.minLength} to ${schema.maxLength} characters`
      : schema.maxLength !== undefined
        ? ` of at most ${schema.maxLength} characters`
        : schema.minLength !== undefined
          ? ' that is not empty'
          : '';
  const pattern = schema.pattern === undefined ? '' : schema.description ? ` (${schema.description})` : ` that matches ${schema.pattern}`;
  return `a string${length}${pattern}`;
}

function sizeText({ minItems: low, maxItems: high }: Described): string {
  if (low !== undefined && high !== undefined) return ` of ${low} to ${high} elements`;
  if (low !== undefined) return low === 1 ? ' that is not empty' : ` of at least ${low} elements`;
  return high === undefined ? '' : ` of at most ${high} elements`;
}

function rangeText(minimum: number | undefined, maximum: number | undefined): string {
  const low = minimum === undefined || minimum === Number.MIN_SAFE_INTEGER ? null : minimum;
  const high = maximum === undefined || maximum === Number.MAX_SAFE_INTEGER ? null : maximum;
  if (low !== null && high !== null) return ` from ${low} to ${high}`;
  if (low !== null) return ` of at least ${low}`;
  return high === null ? '' : ` of at most ${high}`;
}

const kindOf = (value: unknown): string =>
  value === null ? 'null' : Array.isArray(value) ? 'an array' : typeof value === 'object' ? 'an object' : `a ${typeof value}`;

/** Short, and for strings without their content past the first characters: a field may hold a secret in the wrong place. */
function describeValue(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object') return 'an object';
  if (typeof value === 'string')
    return value.length <= 24 ? `the string ${JSON.stringify(value)}` : `a string of ${value.length} characters`;
  return String(value);
}

function valueAt(data: unknown, path: readonly PropertyKey[]): unknown {
  let value = data;
  for (const key of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Record<PropertyKey, unknown>)[key];
  }
  return value;
}

function pathText(path: readonly PropertyKey[]): string {
  let text = '';
  for (const key of path) {
    if (typeof key === 'number') text += `[${key}]`;
    else if (/^[A-Za-z_$][\w$]*$/.test(String(key))) text += text === '' ? String(key) : `.${String(key)}`;
    else text += text === '' ? String(key) : `[${JSON.stringify(key)}]`;
  }
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}

const quoted = (text: string): string => JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text);
