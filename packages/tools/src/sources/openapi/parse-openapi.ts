import type { JsonSchema, ToolAnnotations } from '@code-executor/contracts';
import { AppError } from '@code-executor/platform/errors';
import type { ParseContext, ParsedSource, SourceDocument, SourceTool } from '../port.ts';
import type { OpenApiBinding } from './binding.ts';
import { type DocumentSet, loadDocumentSet } from './document/document-set.ts';
import { listOf, recordOf, textOf } from './document/is-record.ts';
import { plainText } from './document/plain-text.ts';
import { dialectOf, type Operation, operationsOf } from './operations/operations.ts';
import { type Argument, argumentsOf } from './operations/parameters.ts';
import { type RequestBody, requestBodyOf } from './operations/request-body.ts';
import { responseOf } from './operations/response.ts';
import { credentialPlacesOf, securityOf, securitySchemesOf } from './operations/security-schemes.ts';
import { baseUrlOfSwagger, serverUrl } from './operations/servers.ts';
import { type Nameable, toolNames } from './operations/tool-names.ts';
import { createSchemaLibrary, type SchemaLibrary } from './schema/schema-library.ts';
import type { Dialect } from './schema/translate-schema.ts';

/** Of one tool's schema: the validator takes 128,000, a reader less. */
const MOST_CHARACTERS = { input: 24_000, output: 10_000 };
const LONGEST_DESCRIPTION = 1_500;
const LONGEST_TITLE = 120;
const MOST_WARNINGS = 100;
const OPERATIONS_PER_PROGRESS = 50;

/** Reads a description of an API and makes a tool of each of its operations. @throws AppError INTEGRATION_INVALID */
export async function parseOpenApi(document: SourceDocument, context: ParseContext): Promise<ParsedSource<OpenApiBinding>> {
  const documents = await loadDocumentSet(document, context);
  context.onProgress(0.3);
  return toolsOf(documents, document.url, context);
}

/** What a document of another kind brings besides: operations that paths cannot hold, since several share one, and how they are called. */
export interface ReadOperations {
  readonly operations: readonly Operation[];
  readonly names: readonly string[];
}

/** The same for a document that was read already. */
export function toolsOf(
  documents: DocumentSet,
  url: string | null,
  context: Pick<ParseContext, 'onProgress'>,
  given?: ReadOperations,
): ParsedSource<OpenApiBinding> {
  try {
    return parsed(documents, url, context, given);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new AppError('INTEGRATION_INVALID', 'The document nests too deep to be read', { cause: error });
  }
}

interface Parsing {
  readonly documents: DocumentSet;
  readonly dialect: Dialect;
  readonly inputs: SchemaLibrary;
  readonly outputs: SchemaLibrary;
  readonly credentialPlaces: ReadonlySet<string>;
  readonly url: string | null;
  readonly baseUrl: string | null;
  warn(message: string): void;
}

function parsed(
  documents: DocumentSet,
  url: string | null,
  context: Pick<ParseContext, 'onProgress'>,
  given: ReadOperations | undefined,
): ParsedSource<OpenApiBinding> {
  const { root } = documents;
  const dialect = dialectOf(documents);
  const warnings = createWarnings();
  const { warn } = warnings;
  const servers = listOf(root, 'servers');
  const baseUrl = dialect === '2.0' ? baseUrlOfSwagger(root, url) : serverUrl(servers.length > 0 ? servers : [{ url: '/' }], url);
  const securitySchemes = securitySchemesOf(documents, baseUrl ?? url, warn);
  const library = (direction: 'input' | 'output'): SchemaLibrary =>
    createSchemaLibrary(documents, { dialect, direction, mostCharacters: MOST_CHARACTERS[direction], warn });
  const parsing: Parsing = {
    documents,
    dialect,
    inputs: library('input'),
    outputs: library('output'),
    credentialPlaces: credentialPlacesOf(securitySchemes),
    url,
    baseUrl,
    warn,
  };
  const operations = given?.operations ?? operationsOf(documents, warn);
  if (operations.length === 0) throw withoutOperations(root, warnings.list()[0]);
  const names = given?.names ?? toolNames(operations.map(nameable));
  const tools = operations.map((operation, index) => {
    if (index % OPERATIONS_PER_PROGRESS === 0) context.onProgress(0.3 + (0.7 * index) / operations.length);
    return toolOf(operation, names[index] ?? '', parsing);
  });
  context.onProgress(1);
  for (const origin of otherOrigins(tools, baseUrl))
    warn(
      `Some operations go to ${origin}, which is told no credential; add it as an integration of its own, with a baseUrl there, if it needs one`,
    );
  return {
    title: plainText(recordOf(root, 'info').title, LONGEST_TITLE) || 'Untitled API',
    version: plainText(String(recordOf(root, 'info').version ?? ''), 60),
    baseUrl,
    securitySchemes,
    tools,
    operations: operations.length,
    warnings: warnings.list(),
  };
}

/** Servers that single operations name, apart from the one that everything else goes to. */
function otherOrigins(tools: readonly SourceTool<OpenApiBinding>[], baseUrl: string | null): ReadonlySet<string> {
  const standard = originOf(baseUrl);
  const origins = tools.map(({ binding }) => originOf(binding.server?.url ?? null)).filter((origin) => origin !== null);
  return new Set(origins.filter((origin) => origin !== standard));
}

const originOf = (url: string | null): string | null => (url !== null && URL.canParse(url) ? new URL(url).origin : null);

const nameable = ({ method, path, value }: Operation): Nameable => ({
  method,
  path,
  tag: listOf(value, 'tags').find((tag) => typeof tag === 'string') ?? null,
  operationId: textOf(value, 'operationId') ?? null,
});

function toolOf(operation: Operation, name: string, parsing: Parsing): SourceTool<OpenApiBinding> {
  const { documents, dialect, inputs, outputs, warn } = parsing;
  const security = securityOf(operation.value, documents.root);
  const body = requestBodyOf(operation, { documents, dialect, library: inputs, warn });
  const parameters = argumentsOf(operation, {
    dialect,
    library: inputs,
    credentialPlaces: parsing.credentialPlaces,
    isSecured: security.length > 0,
    hasBody: body !== null,
  });
  const response = responseOf(operation, documents, dialect, outputs);
  const server = operation.servers === null ? null : serverUrl(operation.servers, parsing.url);
  const title = plainText(operation.value.summary, LONGEST_TITLE);
  return {
    name,
    ...(title === '' ? {} : { title }),
    description: descriptionOf(operation),
    inputSchema: inputs.withDefinitions(inputSchema(parameters, body)),
    ...(response.schema === undefined ? {} : { outputSchema: outputs.withDefinitions(response.schema) }),
    annotations: annotationsOf(operation),
    binding: {
      method: operation.method.toUpperCase(),
      path: operation.path,
      ...(server === null || server === parsing.baseUrl ? {} : { server: { url: server, standard: parsing.baseUrl } }),
      parameters: parameters.map(({ binding }) => binding),
      ...(body === null ? {} : { body: body.binding }),
      accept: response.accept,
      security,
    },
  };
}

function inputSchema(parameters: readonly Argument[], body: RequestBody | null): JsonSchema {
  const properties = parameters.map(({ binding, schema }): [string, JsonSchema] => [binding.argument, schema]);
  const required = parameters.filter(({ isRequired }) => isRequired).map(({ binding }) => binding.argument);
  if (body !== null) properties.push(['body', body.schema]);
  if (body?.isRequired === true) required.push('body');
  return {
    type: 'object',
    properties: Object.fromEntries(properties),
    ...(required.length === 0 ? {} : { required }),
    additionalProperties: false,
  };
}

function descriptionOf({ value, method, path }: Operation): string {
  const summary = plainText(value.summary, 300);
  const description = plainText(value.description, LONGEST_DESCRIPTION);
  const deprecated = value.deprecated === true ? 'Deprecated.' : '';
  const prose = description.toLowerCase().startsWith(summary.toLowerCase().replace(/[.…]+$/, '')) ? [description] : [summary, description];
  const text = [deprecated, ...prose].filter((part) => part !== '').join('\n\n');
  return text === '' ? `${method.toUpperCase()} ${plainText(path, 300)}` : text;
}

function annotationsOf({ method }: Operation): ToolAnnotations {
  if (method === 'get' || method === 'head' || method === 'options') return { readOnlyHint: true };
  return {
    readOnlyHint: false,
    ...(method === 'delete' ? { destructiveHint: true, idempotentHint: true } : {}),
    ...(method === 'put' ? { idempotentHint: true } : {}),
  };
}

function withoutOperations(root: Readonly<Record<string, unknown>>, warning: string | undefined): AppError {
  const reason =
    root.webhooks !== undefined && root.paths === undefined
      ? 'it describes webhooks only, which nobody can call'
      : root.paths === undefined
        ? '/paths is missing'
        : (warning ?? 'no path under /paths has a method');
  return new AppError('INTEGRATION_INVALID', `The document has no operation that could become a tool: ${reason}`);
}

/** Each once, and not without end. */
function createWarnings(): { warn(message: string): void; list(): string[] } {
  const seen = new Set<string>();
  let more = 0;
  return {
    warn(message) {
      if (seen.has(message)) return;
      if (seen.size < MOST_WARNINGS) seen.add(message);
      else more += 1;
    },
    list: () => [...seen, ...(more === 0 ? [] : [`and ${more} more`])],
  };
}
