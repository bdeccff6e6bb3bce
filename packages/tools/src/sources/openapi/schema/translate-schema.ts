import type { JsonSchema } from '@code-executor/contracts';
import { type DocumentSet, isReference, type Located } from '../document/document-set.ts';
import { isRecord, listOf, recordOf, textOf } from '../document/is-record.ts';
import { plainText } from '../document/plain-text.ts';
import { mergeObjects } from './merge-objects.ts';
import { referenceTo } from './references-of.ts';
import { copyAssertions, orNull, type SchemaObject, typesOf } from './schema-keywords.ts';

export type Dialect = '2.0' | '3.0' | '3.1';
/** Inputs leave out what is read-only, outputs what is write-only and what only constrains. */
export type Direction = 'input' | 'output';

export interface TranslatorOptions {
  readonly dialect: Dialect;
  readonly direction: Direction;
  nameOf(target: Located): string;
  warn(message: string): void;
}

const DEEPEST = 60;
/** Of one schema, and of all schemas of a document: beyond, anything goes. Aliases of YAML can make a small text enormous. */
const MOST_NODES_OF_ONE = 20_000;
const MOST_NODES = 4_000_000;
const MOST_PROPERTIES = 1_000;
const MOST_BRANCHES = 300;
/** In a tool's own schema, and in definitions that it refers to. */
const LONGEST_DESCRIPTION = { input: { own: 500, shared: 200 }, output: { own: 250, shared: 120 } };

export type Translate = (schema: unknown, file: string, use?: 'own' | 'shared') => JsonSchema;

/** Makes the function that turns a schema of one dialect into JSON Schema 2020-12; references become references into `$defs`. */
export function createTranslator(documents: DocumentSet, options: TranslatorOptions): Translate {
  const { dialect, direction, nameOf, warn } = options;
  let nodes = 0;
  let nodesBefore = 0;
  let longest = LONGEST_DESCRIPTION[direction].own;
  /** Schemas being merged into the one that names them in `allOf`. */
  const merging = new Set<unknown>();

  function translate(schema: unknown, file: string, depth: number): JsonSchema {
    if (typeof schema === 'boolean') return schema;
    nodes += 1;
    if (!isRecord(schema) || depth > DEEPEST || nodes > MOST_NODES || nodes - nodesBefore > MOST_NODES_OF_ONE) return true;
    return isReference(schema) ? referred(schema, file, depth) : own(schema, file, depth);
  }

  function referred(schema: SchemaObject & { readonly $ref: string }, file: string, depth: number): JsonSchema {
    const target = documents.resolve(schema.$ref, file);
    const annotations = annotationsOf(schema);
    if (target === null || !(isRecord(target.value) || typeof target.value === 'boolean')) {
      warn(`$ref ${JSON.stringify(schema.$ref.slice(0, 200))} leads nowhere; any value is let through there`);
      return Object.keys(annotations).length === 0 ? true : annotations;
    }
    if (dialect === '3.1' && Object.keys(schema).some((key) => !ANNOTATIONS.has(key) && key !== '$ref' && !key.startsWith('x-'))) {
      const { $ref, ...siblings } = schema;
      return composed([{ $ref }, siblings], file, depth);
    }
    const isNullable = schema.nullable === true || schema['x-nullable'] === true;
    if (isLeaf(target.value)) {
      const leaf = translate(target.value, target.file, depth + 1);
      const merged = typeof leaf === 'boolean' ? leaf : { ...leaf, ...annotations };
      return isNullable ? orNull(merged) : merged;
    }
    const reference = { $ref: referenceTo(nameOf(target)), ...annotations };
    return isNullable ? orNull(reference) : reference;
  }

  function own(schema: SchemaObject, file: string, depth: number): JsonSchema {
    const isNullable = schema.nullable === true || schema['x-nullable'] === true;
    const { allOf } = schema;
    if (Array.isArray(allOf) && allOf.length > 0) {
      const { allOf: _, nullable: __, 'x-nullable': ___, ...siblings } = schema;
      const made = composed([...allOf.slice(0, MOST_BRANCHES), siblings], file, depth);
      return isNullable ? orNull(made) : made;
    }
    const types = typesOf(schema);
    const made: Record<string, unknown> = {};
    if (types.length > 0) made.type = types.length === 1 ? types[0] : types;
    Object.assign(made, annotationsOf(schema));
    copyAssertions(schema, made, { types, direction });
    objectKeywords(schema, made, file, depth);
    arrayKeywords(schema, made, file, depth);
    branches(schema, made, file, depth);
    if (direction === 'input') {
      for (const keyword of ['not', 'if', 'then', 'else', 'propertyNames', 'contains'] as const) {
        if (isSchema(schema[keyword])) made[keyword] = translate(schema[keyword], file, depth + 1);
      }
    }
    return isNullable ? orNull(made) : made;
  }

  function annotationsOf(schema: SchemaObject): Record<string, unknown> {
    const made: Record<string, unknown> = {};
    const description = plainText(schema.description ?? schema.title, longest);
    if (description !== '') made.description = description;
    if (schema.deprecated === true) made.deprecated = true;
    return made;
  }

  function objectKeywords(schema: SchemaObject, made: Record<string, unknown>, file: string, depth: number): void {
    const hidden = new Set<string>();
    if (isRecord(schema.properties)) {
      const properties: [string, JsonSchema][] = [];
      for (const [name, property] of Object.entries(schema.properties).slice(0, MOST_PROPERTIES)) {
        if (isHidden(property, file)) hidden.add(name);
        else properties.push([name, translate(property, file, depth + 1)]);
      }
      made.properties = Object.fromEntries(properties);
    }
    const required = new Set(listOf(schema, 'required').filter((name) => typeof name === 'string' && !hidden.has(name)));
    if (required.size > 0) made.required = [...required].slice(0, MOST_PROPERTIES);
    const extra = schema.additionalProperties;
    // The empty schema says no more than its absence.
    if (extra === false || (isRecord(extra) && Object.keys(extra).length > 0))
      made.additionalProperties = translate(extra, file, depth + 1);
    else if (extra !== undefined && made.properties === undefined) made.additionalProperties = true;
    if (isRecord(schema.patternProperties)) {
      made.patternProperties = Object.fromEntries(
        Object.entries(schema.patternProperties)
          .slice(0, MOST_BRANCHES)
          .map(([pattern, value]) => [pattern, translate(value, file, depth + 1)]),
      );
    }
  }

  /** Read-only in what is sent, write-only in what comes back. */
  function isHidden(property: unknown, file: string): boolean {
    const keyword = direction === 'input' ? 'readOnly' : 'writeOnly';
    if (!isRecord(property)) return false;
    if (property[keyword] === true) return true;
    if (!isReference(property)) return false;
    const target = documents.resolve(property.$ref, file)?.value;
    return isRecord(target) && target[keyword] === true;
  }

  function arrayKeywords(schema: SchemaObject, made: Record<string, unknown>, file: string, depth: number): void {
    const tuple = Array.isArray(schema.prefixItems) ? schema.prefixItems : Array.isArray(schema.items) ? schema.items : null;
    if (tuple !== null && tuple.length > 0) {
      made.prefixItems = tuple.slice(0, MOST_BRANCHES).map((item) => translate(item, file, depth + 1));
      const rest = Array.isArray(schema.items) ? schema.additionalItems : schema.items;
      if (isSchema(rest)) made.items = translate(rest, file, depth + 1);
    } else if (isSchema(schema.items)) made.items = translate(schema.items, file, depth + 1);
  }

  /** `oneOf` becomes `anyOf`: subtypes overlap in practice, and which one is meant is the upstream's to say. */
  function branches(schema: SchemaObject, made: Record<string, unknown>, file: string, depth: number): void {
    for (const keyword of ['oneOf', 'anyOf'] as const) {
      const given = schema[keyword];
      if (!Array.isArray(given) || given.length === 0) continue;
      const list = given.slice(0, MOST_BRANCHES).map((branch) => discriminated(schema, branch, translate(branch, file, depth + 1), file));
      if (made.anyOf === undefined) made.anyOf = list;
      else made.allOf = [{ anyOf: list }];
    }
  }

  /** A branch that a discriminator tells apart says by which value. */
  function discriminated(schema: SchemaObject, branch: unknown, made: JsonSchema, file: string): JsonSchema {
    const property = textOf(schema.discriminator, 'propertyName');
    if (direction === 'output' || property === undefined || !isReference(branch) || typeof made === 'boolean' || !('$ref' in made))
      return made;
    const target = documents.resolve(branch.$ref, file);
    const declared = recordOf(recordOf(target?.value, 'properties'), property);
    if (target === null || 'enum' in declared || 'const' in declared) return made;
    const values = Object.entries(recordOf(schema.discriminator, 'mapping'))
      .filter(([, to]) => typeof to === 'string' && leadsTo(to, target, file))
      .map(([value]) => value);
    const known = values.length > 0 ? values : [target.pointer.slice(target.pointer.lastIndexOf('/') + 1)];
    return { ...made, properties: Object.fromEntries([[property, { enum: known }]]), required: [property] };
  }

  /** Mappings name a schema by reference, or by its bare name. */
  function leadsTo(mapped: string, target: Located, file: string): boolean {
    if (/^[A-Za-z0-9._-]+$/.test(mapped) && target.pointer.endsWith(`/${mapped}`)) return true;
    const found = documents.resolve(mapped, file);
    return found !== null && found.file === target.file && found.pointer === target.pointer;
  }

  /** All of these at once. Plain objects become one object, which types of every language can say; others stay an `allOf`. */
  function composed(parts: readonly unknown[], file: string, depth: number): JsonSchema {
    const saying = parts.filter(
      (part) => !isRecord(part) || Object.keys(part).some((key) => !ANNOTATIONS.has(key) && !key.startsWith('x-')),
    );
    const annotations = Object.assign({}, ...parts.map((part) => (isRecord(part) && !isReference(part) ? annotationsOf(part) : {})));
    if (saying.length === 0) return annotations;
    if (saying.length === 1) {
      const only = translate(saying[0], file, depth + 1);
      return typeof only === 'boolean' ? only : { ...only, ...annotations };
    }
    const objects = saying.map((part) => flattened(part, file, depth + 1));
    const merged = objects.includes(null) ? null : mergeObjects(objects as SchemaObject[]);
    if (merged !== null) return { ...merged, ...annotations };
    return { ...annotations, allOf: saying.map((part) => translate(part, file, depth + 1)) };
  }

  /** A part of an `allOf` with what it refers to in its place; null where that has no end. */
  function flattened(part: unknown, file: string, depth: number): SchemaObject | null {
    const target = isReference(part) ? documents.resolve(part.$ref, file) : { value: part, file };
    if (target === null || !isRecord(target.value) || merging.has(target.value) || depth > DEEPEST) return null;
    merging.add(target.value);
    try {
      const made = isReference(target.value) ? null : translate(target.value, target.file, depth);
      return isRecord(made) ? made : null;
    } finally {
      merging.delete(target.value);
    }
  }

  return (schema, file, use = 'own') => {
    nodesBefore = nodes;
    longest = LONGEST_DESCRIPTION[direction][use];
    return translate(schema, file, 0);
  };
}

const ANNOTATIONS = new Set([
  'description',
  'title',
  'summary',
  'example',
  'examples',
  'default',
  'deprecated',
  'externalDocs',
  'xml',
  'discriminator',
  'readOnly',
  'writeOnly',
  'nullable',
]);

const isSchema = (value: unknown): boolean => typeof value === 'boolean' || isRecord(value);

/** A schema without parts of its own: it stands in its place better than behind a reference. */
const isLeaf = (value: unknown): boolean =>
  isRecord(value) &&
  typeof value.type === 'string' &&
  ['string', 'integer', 'number', 'boolean'].includes(value.type) &&
  !['allOf', 'anyOf', 'oneOf', 'not', 'if', '$ref'].some((keyword) => keyword in value) &&
  (!Array.isArray(value.enum) || value.enum.length <= 12);
