import type { JsonSchema } from '@code-executor/contracts';
import { PARAMETER_PLACES, type ParameterBinding, type ParameterPlace, STYLES, type Style } from '../binding.ts';
import { isRecord, recordOf, textOf } from '../document/is-record.ts';
import { plainText } from '../document/plain-text.ts';
import type { SchemaLibrary } from '../schema/schema-library.ts';
import type { Dialect } from '../schema/translate-schema.ts';
import type { LocatedParameter, Operation } from './operations.ts';

/** One argument of a tool that goes into path, query, header or cookie. */
export interface Argument {
  readonly binding: ParameterBinding;
  readonly schema: JsonSchema;
  readonly isRequired: boolean;
}

/**
 * Headers that a call sets by rules of its own: OpenAPI has the first three ignored, the others are the connection's or the credential's.
 */
const HEADERS_OF_OURS =
  /^(?:accept|content-type|authorization|host|cookie|content-length|content-encoding|transfer-encoding|connection|keep-alive|te|trailer|upgrade|expect|via|forwarded|proxy-.*|sec-.*|traceparent|tracestate)$/i;

/** Parameters that old documents carry their credential in, beside the security they declare. */
const CREDENTIALS = /^(?:token|access_token|api_?key|oauth_token)$/i;

const TOKEN = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/;
const LONGEST_DESCRIPTION = 400;

export interface ArgumentOptions {
  readonly dialect: Dialect;
  readonly library: SchemaLibrary;
  /** `header x-api-key`: places that a security scheme of the document fills. */
  readonly credentialPlaces: ReadonlySet<string>;
  readonly isSecured: boolean;
  readonly hasBody: boolean;
}

/** The arguments that an operation's parameters make. A path's `{name}` without a declaration counts as one. */
export function argumentsOf(operation: Operation, options: ArgumentOptions): Argument[] {
  const declared = operation.parameters.filter((parameter) => isArgument(parameter, options));
  const inPath = new Set(declared.filter(({ value }) => value.in === 'path').map(({ value }) => value.name));
  for (const [, name] of operation.path.matchAll(/\{([^{}]+)\}/g)) {
    if (name !== undefined && !inPath.has(name)) {
      inPath.add(name);
      declared.push({ value: { name, in: 'path', required: true, schema: { type: 'string' } }, file: operation.file });
    }
  }
  const kept = declared.filter(({ value }) => value.in !== 'path' || operation.path.includes(`{${String(value.name)}}`));
  const names = argumentNames(kept, options.hasBody);
  return kept.map((parameter, index) => argumentOf(parameter, names[index] ?? '', options));
}

function isArgument({ value }: LocatedParameter, { credentialPlaces }: ArgumentOptions): boolean {
  const name = String(value.name);
  if (!PARAMETER_PLACES.some((place) => place === value.in)) return false;
  if (value.in === 'header' && (HEADERS_OF_OURS.test(name) || !TOKEN.test(name))) return false;
  if (value.in === 'cookie' && !TOKEN.test(name)) return false;
  return !credentialPlaces.has(credentialPlace(String(value.in), name));
}

/** Of a header the case does not count. */
export const credentialPlace = (place: string, name: string): string => `${place} ${place === 'header' ? name.toLowerCase() : name}`;

/**
 * The bare name goes to the body, then to path, query, header, cookie; who comes later is told apart by its place (`id_query`). So adding a
 * parameter further down renames none above it.
 */
function argumentNames(parameters: readonly LocatedParameter[], hasBody: boolean): string[] {
  const taken = new Set(hasBody ? ['body'] : []);
  const names: string[] = [];
  const declared = new Set(parameters.map(({ value }) => String(value.name)));
  for (const place of PARAMETER_PLACES) {
    for (const [index, { value }] of parameters.entries()) {
      if (value.in !== place) continue;
      const name = safeName(String(value.name));
      let distinct = name;
      for (let number = 1; taken.has(distinct) || (distinct !== name && declared.has(distinct)); number += 1) {
        distinct = `${name}_${place}${number === 1 ? '' : number}`;
      }
      taken.add(distinct);
      names[index] = distinct;
    }
  }
  return names;
}

/** A key that JSON and every language can hold. */
const safeName = (name: string): string => (name === '__proto__' || name === '' ? `_${name}_` : name);

function argumentOf({ value, file }: LocatedParameter, argument: string, options: ArgumentOptions): Argument {
  const place = value.in as ParameterPlace;
  const [contentType, content] = Object.entries(recordOf(value, 'content'))[0] ?? [];
  const raw =
    content !== undefined ? (isRecord(content) ? content.schema : true) : options.dialect === '2.0' ? withoutPlace(value) : value.schema;
  const translated = options.library.translate(raw ?? true, file);
  const name = String(value.name);
  const isCarried = options.isSecured && place !== 'path' && CREDENTIALS.test(name);
  const binding: ParameterBinding = {
    name,
    argument,
    in: place,
    ...styleOf(value, place, options.dialect),
    ...(value.allowReserved === true && place === 'query' ? { allowReserved: true } : {}),
    ...(contentType !== undefined && /json/i.test(contentType) ? { asJson: true } : {}),
    ...(place === 'path' && value['x-spans-segments'] === true ? { spansSegments: true } : {}),
  };
  const isKey = place === 'header' && name.toLowerCase() === 'idempotency-key';
  return {
    binding,
    schema: described(binding.asJson === true ? translated : wideIntegers(translated), value, isCarried),
    isRequired: place === 'path' || (value.required === true && !isCarried && !isKey),
  };
}

/** A parameter of 2.0 is its own schema; its `required` is no list of properties. */
function withoutPlace({ in: _, required: __, name: ___, ...schema }: LocatedParameter['value']): Readonly<Record<string, unknown>> {
  return schema;
}

function described(schema: JsonSchema, parameter: LocatedParameter['value'], isCarried: boolean): JsonSchema {
  const text = plainText(parameter.description, LONGEST_DESCRIPTION);
  const carried = isCarried ? 'Leave it out where the connection carries it.' : '';
  const description = [parameter.deprecated === true ? 'Deprecated.' : '', text, carried].filter((part) => part !== '').join(' ');
  const example = parameter.example ?? Object.values(recordOf(parameter, 'examples')).map((item) => recordOf({ item }, 'item').value)[0];
  const isShort = ['string', 'number', 'boolean'].includes(typeof example) && String(example).length <= 200;
  const plain = typeof schema === 'boolean' ? {} : schema;
  return {
    ...plain,
    ...(description === '' ? {} : { description }),
    ...(isShort && plain.examples === undefined ? { examples: [example] } : {}),
  };
}

/** An integer of 64 bits that JSON's numbers cannot hold goes as text. */
function wideIntegers(schema: JsonSchema): JsonSchema {
  if (typeof schema === 'boolean' || schema.type !== 'integer' || !['int64', 'uint64'].includes(String(schema.format)) || 'enum' in schema)
    return schema;
  return { ...schema, type: ['integer', 'string'], format: undefined, pattern: '^-?[0-9]+$' };
}

function styleOf(value: LocatedParameter['value'], place: ParameterPlace, dialect: Dialect): { style: Style; explode: boolean } {
  const standard: Style = place === 'path' || place === 'header' ? 'simple' : 'form';
  if (dialect === '2.0') return collectionStyle(textOf(value, 'collectionFormat'), standard);
  const given = STYLES.find((style) => style === value.style);
  const style = given !== undefined && fits(given, place) ? given : standard;
  return { style, explode: typeof value.explode === 'boolean' ? value.explode : style === 'form' || style === 'deepObject' };
}

/** The formats of 2.0: `csv` is the default. */
export function collectionStyle(format: string | undefined, standard: Style): { style: Style; explode: boolean } {
  if (format === 'multi') return { style: 'form', explode: true };
  if (format === 'ssv') return { style: 'spaceDelimited', explode: false };
  if (format === 'pipes') return { style: 'pipeDelimited', explode: false };
  if (format === 'tsv') return { style: 'tabDelimited', explode: false };
  return { style: standard, explode: false };
}

function fits(style: Style, place: ParameterPlace): boolean {
  if (place === 'path') return ['matrix', 'label', 'simple'].includes(style);
  if (place === 'query') return ['form', 'spaceDelimited', 'pipeDelimited', 'deepObject'].includes(style);
  return style === (place === 'header' ? 'simple' : 'form');
}
