import { AppError } from '@code-executor/platform/errors';
import { type DocumentSet, isReference } from '../document/document-set.ts';
import { isRecord, listOf } from '../document/is-record.ts';
import type { Dialect } from '../schema/translate-schema.ts';

export const METHODS = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace'] as const;
export type Method = (typeof METHODS)[number];

/** One method of one path, with what it inherits from its path. */
export interface Operation {
  readonly method: Method;
  readonly path: string;
  readonly value: Readonly<Record<string, unknown>>;
  /** Those of the path that the operation does not redeclare, then its own. */
  readonly parameters: readonly LocatedParameter[];
  /** Of the operation, else of its path; null: the document's. */
  readonly servers: readonly unknown[] | null;
  /** The file that references in `value` are relative to. */
  readonly file: string;
}

export interface LocatedParameter {
  readonly value: Readonly<Record<string, unknown>>;
  readonly file: string;
}

const MOST_OPERATIONS = 20_000;
const MOST_PARAMETERS = 500;

export function dialectOf({ root }: DocumentSet): Dialect {
  const version = root.swagger ?? root.openapi;
  const text = typeof version === 'number' ? version.toFixed(1) : version;
  if (typeof text === 'string') {
    if (root.swagger !== undefined && /^2\.0(\.|$)/.test(text)) return '2.0';
    if (root.openapi !== undefined && /^3\.0(\.|$)/.test(text)) return '3.0';
    // What comes after 3.1 has added to it so far.
    if (root.openapi !== undefined && /^3\.\d+(\.|$)/.test(text)) return '3.1';
    throw new AppError(
      'INTEGRATION_INVALID',
      `The document is of version ${JSON.stringify(text.slice(0, 20))} (/${root.swagger === undefined ? 'openapi' : 'swagger'}); 2.0, 3.0 and 3.1 can be read`,
    );
  }
  throw new AppError(
    'INTEGRATION_INVALID',
    'The document is no OpenAPI description: it has neither "openapi" nor "swagger" with a version at its top',
  );
}

/** Every operation of the document, in its order. Faults of one leave the others be. @throws AppError INTEGRATION_INVALID */
export function operationsOf(documents: DocumentSet, warn: (message: string) => void): Operation[] {
  const { paths } = documents.root;
  if (paths !== undefined && !isRecord(paths))
    throw new AppError('INTEGRATION_INVALID', 'The document has no operations: /paths is no object');
  const operations: Operation[] = [];
  for (const [path, item] of Object.entries(paths ?? {})) {
    if (path.startsWith('x-')) continue;
    const located = pathItem(documents, item);
    if (located === null) {
      warn(`/paths/${path.slice(0, 200)} is left out: it is no object, or its $ref leads nowhere`);
      continue;
    }
    for (const method of METHODS) {
      const value = located.value[method];
      if (value === undefined) continue;
      if (!isRecord(value)) {
        warn(`${method.toUpperCase()} ${path.slice(0, 200)} is left out: it is no object`);
        continue;
      }
      const file = located.file;
      const what = `${method.toUpperCase()} ${path.slice(0, 200)}`;
      const servers = [value.servers, located.value.servers].find((list) => Array.isArray(list) && list.length > 0);
      operations.push({
        method,
        path,
        value,
        file,
        parameters: parametersOf(documents, [...listOf(located.value, 'parameters'), ...listOf(value, 'parameters')], file, what, warn),
        servers: Array.isArray(servers) ? servers : null,
      });
      if (operations.length > MOST_OPERATIONS)
        throw new AppError('INTEGRATION_INVALID', `The document has more than ${MOST_OPERATIONS} operations`);
    }
  }
  return operations;
}

/** A path item, with what it refers to put beneath what it says itself. */
function pathItem(documents: DocumentSet, item: unknown): { value: Readonly<Record<string, unknown>>; file: string } | null {
  if (!isRecord(item)) return null;
  if (!isReference(item)) return { value: item, file: documents.rootFile };
  const target = documents.resolve(item.$ref, documents.rootFile);
  if (target === null || !isRecord(target.value)) return null;
  // Siblings of a path's reference are rare, and left to stand in the file of the target.
  return { value: { ...target.value, ...item }, file: target.file };
}

function parametersOf(
  documents: DocumentSet,
  list: readonly unknown[],
  file: string,
  what: string,
  warn: (message: string) => void,
): LocatedParameter[] {
  const found = new Map<string, LocatedParameter>();
  for (const given of list.slice(0, MOST_PARAMETERS)) {
    const located = isReference(given) ? documents.resolve(given.$ref, file) : { value: given, file };
    const value = located?.value;
    if (!isRecord(value) || typeof value.name !== 'string' || typeof value.in !== 'string') {
      warn(
        `A parameter of ${what} is left out: ${isReference(given) ? `${JSON.stringify(given.$ref.slice(0, 100))} leads to none` : 'it has no name or place'}`,
      );
      continue;
    }
    // Of a header the case does not count.
    const name = value.in === 'header' ? value.name.toLowerCase() : value.name;
    const key = `${value.in} ${name}`;
    found.delete(key);
    found.set(key, { value, file: located?.file ?? file });
  }
  return [...found.values()];
}
