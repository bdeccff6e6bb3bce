import type { JsonSchema } from '@code-executor/contracts';
import { AppError } from '@code-executor/platform/errors';
import type { OpenApiBinding } from '../openapi/binding.ts';
import { documentSetOfValue } from '../openapi/document/document-set.ts';
import { isRecord, recordOf, textOf } from '../openapi/document/is-record.ts';
import { readDocument } from '../openapi/document/read-document.ts';
import { METHODS, type Operation } from '../openapi/operations/operations.ts';
import { fileSchema } from '../openapi/operations/request-body.ts';
import { toolNames } from '../openapi/operations/tool-names.ts';
import { toolsOf } from '../openapi/parse-openapi.ts';
import type { ParseContext, ParsedSource, SourceDocument, SourceTool } from '../port.ts';
import { convertSchema } from './convert-schema.ts';

/** `upload`: where the operation goes instead when the argument `media` is given. */
export type GoogleBinding = OpenApiBinding & { readonly upload?: Required<Pick<OpenApiBinding, 'path' | 'server'>> | undefined };

type Methods = Readonly<Record<string, unknown>>;

interface DiscoveredMethod {
  /** `files.list`: the resources it lies in, and its own. */
  readonly name: string;
  readonly value: Methods;
}

const DEEPEST = 12;
const MOST_METHODS = 20_000;

/** Reads a Discovery document as the OpenAPI description that says the same. @throws AppError INTEGRATION_INVALID */
export async function parseDiscovery(document: SourceDocument, context: ParseContext): Promise<ParsedSource<GoogleBinding>> {
  const root = await readDocument(document.text, 'The document');
  if (!isRecord(root) || (!isRecord(root.resources) && !isRecord(root.methods))) {
    throw new AppError(
      'INTEGRATION_INVALID',
      'The document is no Google Discovery document: it has neither "resources" nor "methods" at its top',
    );
  }
  const found = methodsOf(root, [], 0);
  if (found.length === 0)
    throw new AppError('INTEGRATION_INVALID', 'The document has no method that could become a tool: its resources hold none');
  const usable = found.filter(({ value }) => isUsable(value));
  const openApi = describe(root);
  const documents = documentSetOfValue(openApi);
  const operations = usable.map(({ value }) => operationOf(value, root));
  const names = toolNames(
    usable.map(({ name, value }, index) => ({
      method: operations[index]?.method ?? 'get',
      path: `${textOf(value, 'id') ?? ''} ${textOf(value, 'flatPath') ?? textOf(value, 'path') ?? ''} ${name}`,
      tag: null,
      operationId: name,
    })),
  );
  const parsed = toolsOf(documents, document.url, context, { operations, names });
  const dropped = found
    .filter(({ value }) => !isUsable(value))
    .map(({ name }) => `${name.slice(0, 200)} is left out: it has no path or an unknown httpMethod`);
  return {
    ...parsed,
    operations: found.length,
    warnings: [...parsed.warnings, ...dropped.slice(0, 100)],
    tools: parsed.tools.map((tool, index) => withUpload(tool, usable[index]?.value ?? {}, root, parsed.baseUrl)),
  };
}

/** Methods of a resource and of those within it. @throws AppError INTEGRATION_INVALID */
function methodsOf(resource: Methods, path: readonly string[], depth: number): DiscoveredMethod[] {
  if (depth > DEEPEST) return [];
  const own = Object.entries(recordOf(resource, 'methods'))
    .filter(([, value]) => isRecord(value))
    .map(([name, value]) => ({ name: [...path, name].join('.'), value: value as Methods }));
  const nested = Object.entries(recordOf(resource, 'resources')).flatMap(([name, value]) =>
    isRecord(value) ? methodsOf(value, [...path, name], depth + 1) : [],
  );
  if (own.length + nested.length > MOST_METHODS)
    throw new AppError('INTEGRATION_INVALID', `The document has more than ${MOST_METHODS} methods`);
  return [...own, ...nested];
}

const methodOf = (value: Methods): (typeof METHODS)[number] | undefined =>
  METHODS.find((method) => method === textOf(value, 'httpMethod')?.toLowerCase());

const isUsable = (value: Methods): boolean => methodOf(value) !== undefined && textOf(value, 'path') !== undefined;

/** All but the paths, which cannot hold two methods of one path. */
function describe(root: Methods): Readonly<Record<string, unknown>> {
  const schemas = Object.entries(recordOf(root, 'schemas')).map(([name, schema]) => [name, convertSchema(schema, 0)]);
  const scopes = Object.entries(recordOf(recordOf(recordOf(root, 'auth'), 'oauth2'), 'scopes')).map(([scope, value]) => [
    scope,
    textOf(value, 'description') ?? '',
  ]);
  const oauth2 = {
    type: 'oauth2',
    flows: {
      authorizationCode: {
        authorizationUrl: 'https://accounts.google.com/o/oauth2/v2/auth',
        tokenUrl: 'https://oauth2.googleapis.com/token',
        scopes: Object.fromEntries(scopes),
      },
    },
  };
  return {
    openapi: '3.0.3',
    info: { title: root.title ?? root.name, version: root.version },
    ...(baseUrlOf(root) === null ? {} : { servers: [{ url: baseUrlOf(root) }] }),
    paths: {},
    components: {
      schemas: Object.fromEntries(schemas),
      securitySchemes: {
        ...(scopes.length === 0 ? {} : { oauth2 }),
        ...(isRecord(recordOf(root, 'parameters').key) ? { key: { type: 'apiKey', in: 'query', name: 'key' } } : {}),
      },
    },
  };
}

function baseUrlOf(root: Methods): string | null {
  const rootUrl = textOf(root, 'rootUrl');
  return rootUrl === undefined
    ? (textOf(root, 'baseUrl') ?? null)
    : `${rootUrl.replace(/\/+$/, '')}/${(textOf(root, 'servicePath') ?? '').replace(/^\/+/, '')}`;
}

function operationOf(value: Methods, root: Methods): Operation {
  const path = textOf(value, 'path') ?? '';
  const spanning = new Set([...path.matchAll(/\{\+([^{}]+)\}/g)].map(([, name]) => name));
  const own = Object.entries(recordOf(value, 'parameters')).filter(([, parameter]) => isRecord(parameter));
  const parameters = own.map(([name, parameter]) => parameterOf(name, parameter as Methods, spanning.has(name)));
  const declared = new Set(own.map(([name]) => name));
  if (!declared.has('fields') && isRecord(recordOf(root, 'parameters').fields))
    parameters.push(parameterOf('fields', recordOf(recordOf(root, 'parameters'), 'fields'), false));
  if (value.supportsMediaDownload === true && !declared.has('alt')) parameters.push(parameterOf('alt', DOWNLOAD, false));
  const request = recordOf(value, 'request');
  return {
    method: methodOf(value) ?? 'get',
    path: `/${path.replace(/\{[+/]?([^{}*]+)\*?\}/g, '{$1}').replace(/^\/+/, '')}`,
    file: '',
    servers: null,
    parameters: parameters.map((parameter) => ({ value: parameter, file: '' })),
    value: {
      description: value.description,
      deprecated: value.deprecated,
      security: Array.isArray(value.scopes) && value.scopes.length > 0 ? [{ oauth2: value.scopes }] : [],
      ...(request.$ref === undefined
        ? {}
        : { requestBody: { required: false, content: { 'application/json': { schema: convertSchema(request, 0) } } } }),
      responses: responsesOf(value),
    },
  };
}

const DOWNLOAD = {
  type: 'string',
  location: 'query',
  enum: ['json', 'media'],
  description: '"media" answers with the content itself, as {base64, contentType, filename, bytes}.',
};

/** Members of a downloaded file, beside those of the resource. */
const FILE_MEMBERS = {
  type: 'object',
  properties: {
    base64: { type: 'string' },
    contentType: { type: 'string' },
    filename: { type: 'string', nullable: true },
    bytes: { type: 'integer' },
  },
};

function responsesOf(value: Methods): Readonly<Record<string, unknown>> {
  const response = recordOf(value, 'response');
  if (response.$ref === undefined) return value.supportsMediaDownload === true ? { 200: { content: { '*/*': {} } } } : { 204: {} };
  const schema = convertSchema(response, 0);
  return {
    200: { content: { 'application/json': { schema: value.supportsMediaDownload === true ? { allOf: [schema, FILE_MEMBERS] } : schema } } },
  };
}

function parameterOf(name: string, parameter: Methods, spansSegments: boolean): Record<string, unknown> {
  const { location, required, repeated, description, ...schema } = parameter;
  const converted = convertSchema({ ...schema, description }, 0);
  const { description: prose, ...plain } = isRecord(converted) ? converted : {};
  return {
    name,
    in: location === 'path' ? 'path' : 'query',
    required: required === true,
    description: prose,
    deprecated: parameter.deprecated,
    schema: repeated === true ? { type: 'array', items: plain } : plain,
    ...(repeated === true ? { explode: true, style: location === 'path' ? 'simple' : 'form' } : {}),
    ...(spansSegments ? { 'x-spans-segments': true } : {}),
  };
}

/** The argument `media` of a method that takes a file beside its metadata. */
function withUpload(tool: SourceTool<OpenApiBinding>, value: Methods, root: Methods, baseUrl: string | null): SourceTool<GoogleBinding> {
  const path = textOf(recordOf(recordOf(recordOf(value, 'mediaUpload'), 'protocols'), 'simple'), 'path');
  const rootUrl = textOf(root, 'rootUrl');
  if (value.supportsMediaUpload !== true || path === undefined || rootUrl === undefined || !isRecord(tool.inputSchema)) return tool;
  const { properties, ...schema } = tool.inputSchema;
  const media = fileSchema('The content to upload.');
  return {
    ...tool,
    inputSchema: { ...schema, properties: { ...(isRecord(properties) ? properties : {}), media } } as JsonSchema,
    binding: {
      ...tool.binding,
      upload: {
        path: `/${path.replace(/\{[+/]?([^{}*]+)\*?\}/g, '{$1}').replace(/^\/+/, '')}?uploadType=multipart`,
        server: { url: rootUrl.replace(/\/+$/, ''), standard: baseUrl },
      },
    },
  };
}
