import type { JsonSchema } from '@code-executor/contracts';
import { type BodyBinding, type BodyKind, type PartEncoding, STYLES } from '../binding.ts';
import { type DocumentSet, isReference } from '../document/document-set.ts';
import { isRecord, recordOf, textOf } from '../document/is-record.ts';
import { plainText } from '../document/plain-text.ts';
import type { SchemaLibrary } from '../schema/schema-library.ts';
import type { Dialect } from '../schema/translate-schema.ts';
import type { Operation } from './operations.ts';
import { collectionStyle } from './parameters.ts';

export interface RequestBody {
  readonly binding: BodyBinding;
  readonly schema: JsonSchema;
  readonly isRequired: boolean;
}

export interface RequestBodyOptions {
  readonly documents: DocumentSet;
  readonly dialect: Dialect;
  readonly library: SchemaLibrary;
  warn(message: string): void;
}

const LONGEST_DESCRIPTION = 400;

/** The argument `body` of an operation; null: it takes none. Of several media types the one that says most is used. */
export function requestBodyOf(operation: Operation, options: RequestBodyOptions): RequestBody | null {
  const body = options.dialect === '2.0' ? bodyOfSwagger(operation, options) : declaredBody(operation, options);
  if (body === null) return null;
  if (['get', 'head', 'trace'].includes(operation.method)) {
    const isEmpty =
      typeof body.schema === 'object' && Object.keys(recordOf(body.schema, 'properties')).length === 0 && !('$ref' in body.schema);
    if (!isEmpty)
      options.warn(`The body of ${operation.method.toUpperCase()} ${operation.path.slice(0, 200)} is left out: HTTP gives it no meaning`);
    return null;
  }
  return body;
}

function declaredBody(operation: Operation, options: RequestBodyOptions): RequestBody | null {
  const given = operation.value.requestBody;
  const located = isReference(given) ? options.documents.resolve(given.$ref, operation.file) : { value: given, file: operation.file };
  if (located === null || !isRecord(located.value)) {
    if (given !== undefined)
      options.warn(`The body of ${operation.method.toUpperCase()} ${operation.path.slice(0, 200)} is left out: it is none`);
    return null;
  }
  const content = recordOf(located.value, 'content');
  const contentType = Object.keys(content).sort((a, b) => preference(a) - preference(b))[0];
  if (contentType === undefined) return null;
  const media = recordOf(content, contentType);
  const kind = bodyKind(contentType);
  const encoding = kind === 'form' || kind === 'multipart' ? encodingOf(recordOf(media, 'encoding')) : undefined;
  const schema =
    kind === 'binary'
      ? fileSchema('The bytes to send.')
      : bodySchema(media.schema ?? (kind === 'text' ? { type: 'string' } : true), located.file, kind, options);
  return {
    binding: { kind, contentType: sentType(contentType, kind), ...(encoding === undefined ? {} : { encoding }) },
    schema: described(schema, located.value.description ?? media.description, contentType),
    isRequired: located.value.required === true,
  };
}

/** `in: body` and `in: formData` of 2.0. */
function bodyOfSwagger(operation: Operation, options: RequestBodyOptions): RequestBody | null {
  const consumes =
    [operation.value.consumes, options.documents.root.consumes].find(Array.isArray)?.filter((type) => typeof type === 'string') ?? [];
  const whole = operation.parameters.find(({ value }) => value.in === 'body');
  if (whole !== undefined) {
    const contentType =
      [...consumes].sort((a, b) => preference(a) - preference(b)).find((type) => !/form/.test(type)) ?? 'application/json';
    const kind = bodyKind(contentType);
    const schema = kind === 'binary' ? fileSchema('The bytes to send.') : bodySchema(whole.value.schema ?? true, whole.file, kind, options);
    return {
      binding: { kind, contentType: sentType(contentType, kind) },
      schema: described(schema, whole.value.description, contentType),
      isRequired: whole.value.required === true,
    };
  }
  const fields = operation.parameters.filter(({ value }) => value.in === 'formData');
  if (fields.length === 0) return null;
  const hasFile = fields.some(({ value }) => value.type === 'file');
  const isMultipart =
    hasFile || (consumes.some((type) => /^multipart\//i.test(type)) && !consumes.some((type) => /urlencoded/i.test(type)));
  const properties = fields.map(({ value, file }): [string, JsonSchema] => {
    const { in: _, required: __, name: ___, ...schema } = value;
    return [
      String(value.name),
      value.type === 'file' ? fileSchema(plainText(value.description, LONGEST_DESCRIPTION)) : options.library.translate(schema, file),
    ];
  });
  const required = fields.filter(({ value }) => value.required === true).map(({ value }) => String(value.name));
  const lists = fields.filter(({ value }) => value.type === 'array');
  const encoding = lists.map(({ value }): [string, PartEncoding] => [
    String(value.name),
    collectionStyle(textOf(value, 'collectionFormat'), 'form'),
  ]);
  const contentType = isMultipart ? 'multipart/form-data' : 'application/x-www-form-urlencoded';
  return {
    binding: {
      kind: isMultipart ? 'multipart' : 'form',
      contentType,
      ...(encoding.length === 0 ? {} : { encoding: Object.fromEntries(encoding) }),
    },
    schema: described(
      { type: 'object', properties: Object.fromEntries(properties), ...(required.length === 0 ? {} : { required }) },
      '',
      contentType,
    ),
    isRequired: required.length > 0,
  };
}

/** JSON says most, then forms, then what is only text or bytes. */
function preference(contentType: string): number {
  const order: BodyKind[] = ['json', 'multipart', 'related', 'form', 'text', 'binary'];
  const rank = order.indexOf(bodyKind(contentType)) * 10;
  if (/^application\/json$/i.test(contentType)) return rank - 1;
  return rank + (/\*|xml/.test(contentType) ? 5 : 0);
}

function bodyKind(contentType: string): BodyKind {
  const type = (contentType.split(';')[0] ?? '').trim().toLowerCase();
  if (/^[^/]+\/(?:.+\+)?(?:json|x-json)$/.test(type) || type === '*/*' || type === 'application/*') return 'json';
  if (type === 'application/x-www-form-urlencoded') return 'form';
  if (type === 'multipart/related') return 'related';
  if (type.startsWith('multipart/')) return 'multipart';
  if (type.startsWith('text/') || /[/+](?:xml|yaml|x-yaml|x-ndjson|graphql|javascript|csv|sql)$/.test(type) || /json/.test(type))
    return 'text';
  return 'binary';
}

/** A range of media types is no type that can be sent. */
function sentType(contentType: string, kind: BodyKind): string {
  if (/[\r\n\0]/.test(contentType) || !/^[\w!#$&^.+-]+\/[\w!#$&^.+-]+\s*(;.*)?$/.test(contentType)) {
    return kind === 'json' ? 'application/json' : kind === 'text' ? 'text/plain' : 'application/octet-stream';
  }
  return contentType.slice(0, 200);
}

function encodingOf(given: Readonly<Record<string, unknown>>): Record<string, PartEncoding> | undefined {
  const entries = Object.entries(given)
    .filter(([, value]) => isRecord(value))
    .map(([property, value]): [string, PartEncoding] => {
      const contentType = textOf(value, 'contentType')?.split(',')[0]?.trim();
      const { style, explode, allowReserved } = value as Readonly<Record<string, unknown>>;
      const known = STYLES.find((name) => name === style);
      return [
        property,
        {
          ...(contentType === undefined || contentType.includes('*') || /[\r\n\0]/.test(contentType) ? {} : { contentType }),
          ...(known === undefined ? {} : { style: known }),
          ...(typeof explode === 'boolean' ? { explode } : {}),
          ...(allowReserved === true ? { allowReserved: true } : {}),
        },
      ];
    });
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}

function bodySchema(schema: unknown, file: string, kind: BodyKind, options: RequestBodyOptions): JsonSchema {
  if (kind === 'text') return { type: 'string' };
  if (kind === 'related') return relatedSchema(schema, file, options);
  if (kind !== 'multipart') return options.library.translate(schema, file);
  return withFiles(schema, file, options);
}

/** Metadata and a file in one request, as Google's uploads take them. */
function relatedSchema(schema: unknown, file: string, { library }: RequestBodyOptions): JsonSchema {
  return {
    type: 'object',
    properties: { metadata: library.translate(schema, file), file: fileSchema('The content.') },
    required: ['file'],
    additionalProperties: false,
  };
}

/** In multipart, properties of bytes are files. */
function withFiles(schema: unknown, file: string, { documents, library }: RequestBodyOptions): JsonSchema {
  const located = isReference(schema) ? documents.resolve(schema.$ref, file) : { value: schema, file };
  const translated = library.translate(schema, file);
  const files = new Map<string, JsonSchema>();
  const properties = recordOf(located?.value, 'properties');
  for (const [name, property] of Object.entries(properties)) {
    const found = isReference(property) ? documents.resolve(property.$ref, located?.file ?? file)?.value : property;
    const items =
      isRecord(found) && isReference(found.items)
        ? documents.resolve(found.items.$ref, located?.file ?? file)?.value
        : recordOf(found, 'items');
    const description = plainText(textOf(found, 'description'), LONGEST_DESCRIPTION);
    if (isBytes(found)) files.set(name, fileSchema(description));
    else if (isRecord(items) && isBytes(items))
      files.set(name, { type: 'array', ...(description === '' ? {} : { description }), items: fileSchema('') });
  }
  if (files.size === 0 || typeof translated === 'boolean') return translated;
  // The definition that others share stays as it is: this one is the operation's own.
  const own = '$ref' in translated ? library.translate(located?.value, located?.file ?? file) : translated;
  if (typeof own === 'boolean' || !isRecord(own.properties)) return translated;
  return { ...own, properties: { ...own.properties, ...Object.fromEntries(files) } };
}

const isBytes = (schema: unknown): boolean =>
  isRecord(schema) &&
  (schema.format === 'binary' ||
    schema.type === 'file' ||
    (schema.contentEncoding === undefined && typeof schema.contentMediaType === 'string' && !/json|text/.test(schema.contentMediaType)));

/** How a program gives a file: as text, or its bytes in base64. */
export function fileSchema(description: string): JsonSchema {
  return {
    description: `${description}${description === '' ? '' : ' '}Text, or {filename?, contentType?, base64} or {filename?, contentType?, text}.`,
    anyOf: [
      { type: 'string' },
      {
        type: 'object',
        properties: { base64: { type: 'string' }, text: { type: 'string' }, filename: { type: 'string' }, contentType: { type: 'string' } },
        additionalProperties: false,
      },
    ],
  };
}

function described(schema: JsonSchema, description: unknown, contentType: string): JsonSchema {
  const text = plainText(description, LONGEST_DESCRIPTION);
  const plain = typeof schema === 'boolean' ? {} : schema;
  const sent = /json/.test(contentType) ? '' : `Sent as ${contentType.replace(/[^\w/+.*;= -]/g, '').slice(0, 80)}.`;
  const own = text === '' && typeof plain.description === 'string' ? plain.description : text;
  const prose = [own, sent].filter((part) => part !== '').join(' ');
  return prose === '' ? plain : { ...plain, description: prose };
}
