import type { JsonSchema } from '@code-executor/contracts';
import { type DocumentSet, isReference } from '../document/document-set.ts';
import { isRecord, recordOf } from '../document/is-record.ts';
import type { SchemaLibrary } from '../schema/schema-library.ts';
import type { Dialect } from '../schema/translate-schema.ts';
import type { Operation } from './operations.ts';

export interface ResponseShape {
  readonly schema: JsonSchema | undefined;
  readonly accept: string;
}

const MOST_TYPES = 6;
const MOST_SHAPES = 4;

const BINARY_VALUE: JsonSchema = {
  type: 'object',
  description: 'A file: its bytes in base64.',
  properties: {
    base64: { type: 'string' },
    contentType: { type: 'string' },
    filename: { type: ['string', 'null'] },
    bytes: { type: 'integer' },
  },
  required: ['base64', 'contentType', 'filename', 'bytes'],
};

/** What an operation answers when it succeeds, and what it is asked for. */
export function responseOf(operation: Operation, documents: DocumentSet, dialect: Dialect, library: SchemaLibrary): ResponseShape {
  const responses = recordOf(operation.value, 'responses');
  const successes = Object.keys(responses)
    .filter((status) => /^2(?:\d\d|XX)$/i.test(status))
    .sort();
  const statuses = successes.length > 0 ? successes : Object.keys(responses).filter((status) => status === 'default');
  const schemas = new Map<string, JsonSchema>();
  const types = new Set<string>();
  let isUntyped = statuses.length === 0;
  let isEmptyOnly = statuses.length > 0;
  for (const status of statuses) {
    const given = responses[status];
    const located = isReference(given) ? documents.resolve(given.$ref, operation.file) : { value: given, file: operation.file };
    if (located === null || !isRecord(located.value)) {
      isUntyped = true;
      continue;
    }
    const content = dialect === '2.0' ? contentOfSwagger(located.value, operation, documents) : recordOf(located.value, 'content');
    const [contentType, media] = bestOf(content);
    if (contentType === undefined) continue;
    isEmptyOnly = false;
    for (const type of sameKind(Object.keys(content), contentType)) types.add(type);
    const schema = schemaOf(contentType, media, located.file, library);
    if (schema === undefined) isUntyped = true;
    else if (schemas.size < MOST_SHAPES) schemas.set(JSON.stringify(schema), schema);
  }
  const [first, ...others] = schemas.values();
  return {
    schema: isUntyped ? undefined : isEmptyOnly ? { type: 'null' } : others.length === 0 ? first : { anyOf: [first, ...others] },
    accept: acceptOf([...types]),
  };
}

/** `schema` of 2.0 stands beside the media types of the operation or the document. */
function contentOfSwagger(
  response: Readonly<Record<string, unknown>>,
  operation: Operation,
  documents: DocumentSet,
): Readonly<Record<string, unknown>> {
  if (response.schema === undefined) return {};
  const produces =
    [operation.value.produces, documents.root.produces].find(Array.isArray)?.filter((type) => typeof type === 'string') ?? [];
  const media = { schema: response.schema };
  const isFile = isRecord(response.schema) && response.schema.type === 'file';
  const types = produces.length > 0 ? produces : [isFile ? 'application/octet-stream' : 'application/json'];
  return Object.fromEntries(types.slice(0, 20).map((type) => [type, media]));
}

function bestOf(content: Readonly<Record<string, unknown>>): [string | undefined, unknown] {
  const types = Object.keys(content);
  const best = types.find((type) => /^application\/json\b/i.test(type)) ?? types.find(isJson) ?? types.find(isText) ?? types[0];
  return [best, best === undefined ? undefined : content[best]];
}

/** Types that the value is read from in the same way, so that asking for any of them gives what the schema says. */
const sameKind = (types: readonly string[], best: string): string[] =>
  isJson(best) ? [best] : types.filter((type) => !isJson(type) && isText(type) === isText(best)).slice(0, MOST_TYPES);

function schemaOf(contentType: string, media: unknown, file: string, library: SchemaLibrary): JsonSchema | undefined {
  if (isJson(contentType)) {
    const schema = isRecord(media) ? media.schema : undefined;
    const translated = schema === undefined ? true : library.translate(schema, file);
    return translated === true || (isRecord(translated) && Object.keys(translated).length === 0) ? undefined : translated;
  }
  return isText(contentType) ? { type: 'string' } : BINARY_VALUE;
}

const isJson = (type: string): boolean => /^(?:[^/;]+\/(?:[^;]+\+)?json|\*\/\*|application\/\*)\s*(?:;|$)/i.test(type);

const isText = (type: string): boolean => /^text\/|[/+](?:xml|yaml|x-yaml|csv|javascript|x-ndjson|graphql)\s*(?:;|$)|json/i.test(type);

function acceptOf(types: readonly string[]): string {
  const safe = types.filter((type) => /^[\w!#$&^.+*-]+\/[\w!#$&^.+*-]+(?:\s*;\s*[\w-]+=[\w.-]+)*$/.test(type) && type !== '*/*');
  if (safe.length === 0) return 'application/json, */*;q=0.5';
  return [...safe.slice(0, MOST_TYPES), '*/*;q=0.1'].join(', ');
}
