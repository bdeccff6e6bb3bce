import { AppError, messageOf } from '@code-executor/platform/errors';
import {
  buildASTSchema,
  buildClientSchema,
  type DocumentNode,
  type GraphQLSchema,
  type IntrospectionQuery,
  parse,
  validateSchema,
} from 'graphql';
import { validateSDL } from 'graphql/validation/validate.js';
import type { SourceDocument } from '../port.ts';
import { introspectionOf } from './introspection-of.ts';

/** An introspection result on its way from the service to the reading thread: what the endpoint answered, and where it is. */
export interface IntrospectedDocument {
  readonly endpoint: string;
  readonly data: IntrospectionQuery;
}

export interface ReadSchema {
  readonly schema: GraphQLSchema;
  /** Where it was introspected; null: it comes from a document. */
  readonly endpoint: string | null;
  readonly warnings: readonly string[];
}

/** Far more than any real schema; each costs memory before anything can be checked. */
const MOST_TOKENS = 8_000_000;

/** @throws AppError INTEGRATION_INVALID saying where (line and column, or what of the introspection result) and why. */
export function readSchema({ text }: SourceDocument): ReadSchema {
  const bare = text.replace(/^\uFEFF/, '');
  const read = /^\s*\{/.test(bare) ? fromIntrospection(bare) : fromSdl(bare);
  const problems = problemsOf(read.schema);
  return { ...read, warnings: [...read.warnings, ...problems.map((problem) => `The schema is not valid: ${problem}`)] };
}

function fromIntrospection(text: string): ReadSchema {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw invalid(`The introspection result is not JSON: ${messageOf(error)}`);
  }
  const found = introspectionOf(value);
  if (found === null) throw invalid('/data/__schema: this JSON is no introspection result');
  const endpoint = typeof value === 'object' && value !== null && 'endpoint' in value ? value.endpoint : null;
  try {
    const schema = buildClientSchema({ __schema: found }, { assumeValid: true });
    return { schema, endpoint: typeof endpoint === 'string' ? endpoint : null, warnings: [] };
  } catch (error) {
    throw invalid(`/data/__schema: ${messageOf(error)}`);
  }
}

function fromSdl(text: string): ReadSchema {
  let document: DocumentNode;
  try {
    document = parse(text, { maxTokens: MOST_TOKENS });
  } catch (error) {
    throw unreadable(error);
  }
  const problems = validateSDL(document);
  const fatal = problems.find(({ message }) => !TOLERATED.test(message));
  if (fatal !== undefined) throw unreadable(fatal);
  try {
    return { schema: buildASTSchema(document, { assumeValidSDL: true }), endpoint: null, warnings: problems.slice(0, 5).map(placed) };
  } catch (error) {
    throw unreadable(error);
  }
}

/** Real schemas use directives that they do not define, and GitHub's defines a field twice: nobody is misled by either. */
const TOLERATED = /directive|Field ".*" can only be defined once/i;

const placed = (error: unknown): string => `${whereOf(error)}${messageOf(error).slice(0, 300)}`;
const unreadable = (error: unknown): AppError => invalid(`The schema cannot be read: ${placed(error)}`);

/** By what it has, not by its class: the package is loaded twice where one of its files is imported by its path. */
function whereOf(error: unknown): string {
  const locations = typeof error === 'object' && error !== null && 'locations' in error ? error.locations : undefined;
  const place = Array.isArray(locations) ? (locations[0] as { readonly line: number; readonly column: number } | undefined) : undefined;
  return place === undefined ? '' : `line ${place.line}, column ${place.column}: `;
}

/** A schema may break a rule of the standard and be used all the same. */
function problemsOf(schema: GraphQLSchema): string[] {
  return validateSchema(schema)
    .slice(0, 5)
    .map((problem) => problem.message.slice(0, 300));
}

const invalid = (message: string): AppError => new AppError('INTEGRATION_INVALID', message.slice(0, 2_000));
