import { AppError, messageOf } from '@code-executor/platform/errors';
import type { ParseContext, SourceDocument } from '../../port.ts';
import { isRecord } from './is-record.ts';
import { readDocument } from './read-document.ts';

/** A value of a document, and where it stands: references in it are relative to its file. */
export interface Located {
  readonly value: unknown;
  readonly file: string;
  /** JSON Pointer within the file. */
  readonly pointer: string;
}

/** A description of an API: one document, or several that refer to each other. */
export interface DocumentSet {
  readonly root: Readonly<Record<string, unknown>>;
  /** The root's own address; empty for an upload. */
  readonly rootFile: string;
  /** What a `$ref` within `file` leads to, through further ones; null: nowhere, or round in circles. */
  resolve(reference: string, file: string): Located | null;
}

const MOST_FILES = 200;
const MOST_CHARACTERS = 64 * 1024 * 1024;
const MOST_HOPS = 40;
const FILES_AT_ONCE = 8;

/** Reads the document and every file it refers to. @throws AppError INTEGRATION_INVALID */
export async function loadDocumentSet(document: SourceDocument, context: Pick<ParseContext, 'fetchText'>): Promise<DocumentSet> {
  const rootFile = document.url === null ? '' : withoutFragment(document.url);
  if (document.text.length > MOST_CHARACTERS) {
    throw new AppError('INTEGRATION_INVALID', `The document has ${document.text.length} characters; ${MOST_CHARACTERS} are read at most`);
  }
  const root = await readDocument(document.text, 'The document');
  if (!isRecord(root)) throw new AppError('INTEGRATION_INVALID', 'The document is no object: an API description has keys at its top');
  const files = new Map<string, unknown>([[rootFile, root]]);
  if (refersToFiles(document.text)) await loadReferred(files, rootFile, document.text.length, context);
  return documentSetOf(root, rootFile, files);
}

/** The same for a document that is there as a value, under the empty address, and refers to itself only. */
export const documentSetOfValue = (root: Readonly<Record<string, unknown>>): DocumentSet => documentSetOf(root, '', new Map([['', root]]));

function documentSetOf(root: Readonly<Record<string, unknown>>, rootFile: string, files: ReadonlyMap<string, unknown>): DocumentSet {
  const anchors = new Map<string, ReadonlyMap<string, unknown>>();
  const anchored = (file: string, name: string): unknown => {
    const known = anchors.get(file) ?? anchorsOf(files.get(file));
    anchors.set(file, known);
    return known.get(name);
  };

  function resolve(reference: string, from: string, hops = 0): Located | null {
    if (hops > MOST_HOPS) return null;
    const hash = reference.indexOf('#');
    const path = hash < 0 ? reference : reference.slice(0, hash);
    const file = path === '' ? from : absolute(path, from);
    if (file === null || !files.has(file)) return null;
    const fragment = hash < 0 ? '' : reference.slice(hash + 1);
    if (fragment !== '' && !fragment.startsWith('/')) {
      const value = anchored(file, fragment);
      return value === undefined ? null : settle({ value, file, pointer: fragment }, hops);
    }
    let found: Located = { value: files.get(file), file, pointer: '' };
    for (const segment of fragment === '' ? [] : fragment.slice(1).split('/')) {
      const key = pointerKey(segment);
      const own = memberOf(found.value, key);
      const holder = own === undefined && isReference(found.value) ? resolve(found.value.$ref, found.file, hops + 1) : found;
      const value = own ?? memberOf(holder?.value, key);
      if (holder === null || value === undefined) return null;
      found = { value, file: holder.file, pointer: `${holder.pointer}/${segment}` };
    }
    return settle(found, hops);
  }

  /** A reference that holds another and nothing else is that other. */
  function settle(found: Located, hops: number): Located | null {
    if (!isReference(found.value)) return found;
    const others = Object.keys(found.value).filter((key) => !['$ref', 'description', 'summary'].includes(key));
    return others.length > 0 ? found : resolve(found.value.$ref, found.file, hops + 1);
  }

  return { root, rootFile, resolve: (reference, file) => resolve(reference, file) };
}

async function loadReferred(
  files: Map<string, unknown>,
  rootFile: string,
  characters: number,
  context: Pick<ParseContext, 'fetchText'>,
): Promise<void> {
  let read = characters;
  let waiting = referredFiles(files.get(rootFile), rootFile);
  while (waiting.length > 0) {
    const batch = waiting.splice(0, FILES_AT_ONCE).filter(({ file }) => !files.has(file));
    if (files.size + batch.length > MOST_FILES)
      throw new AppError('INTEGRATION_INVALID', `The document refers to more than ${MOST_FILES} files`);
    const texts = await Promise.all(batch.map((reference) => fetchReferred(reference, context)));
    for (const [index, { file }] of batch.entries()) {
      const text = texts[index] ?? '';
      read += text.length;
      if (read > MOST_CHARACTERS)
        throw new AppError('INTEGRATION_INVALID', `The files of this document have more than ${MOST_CHARACTERS} characters`);
      if (files.has(file)) continue;
      const value = await readDocument(text, file);
      files.set(file, value);
      waiting = waiting.concat(referredFiles(value, file));
    }
  }
}

interface FileReference {
  readonly file: string;
  /** As it is written, and in which file. */
  readonly reference: string;
  readonly from: string;
}

async function fetchReferred({ file, reference, from }: FileReference, context: Pick<ParseContext, 'fetchText'>): Promise<string> {
  const what = `$ref ${JSON.stringify(reference.slice(0, 200))}${from === '' ? '' : ` in ${from}`}`;
  if (!/^https?:/.test(file)) {
    const advice =
      from === ''
        ? 'an uploaded document has no address that it could be relative to; give the document by its url'
        : 'only http and https are fetched';
    throw new AppError('INTEGRATION_INVALID', `${what} cannot be followed: ${advice}`);
  }
  try {
    return await context.fetchText(file);
  } catch (error) {
    throw new AppError('INTEGRATION_INVALID', `${what} cannot be followed: ${messageOf(error).slice(0, 300)}`, { cause: error });
  }
}

/** Whether it is worth the walk. */
const refersToFiles = (text: string): boolean => /\$ref["']?\s*:\s*["']?[^#"'\s]/.test(text);

function referredFiles(root: unknown, from: string): FileReference[] {
  const found = new Map<string, FileReference>();
  const seen = new Set<unknown>();
  const stack: { readonly node: unknown; readonly keysAreNames: boolean }[] = [{ node: root, keysAreNames: false }];
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    const { node, keysAreNames } = next;
    if (typeof node !== 'object' || node === null || seen.has(node)) continue;
    seen.add(node);
    if (!keysAreNames && isReference(node) && !node.$ref.startsWith('#')) {
      const path = node.$ref.split('#')[0] ?? '';
      const file = absolute(path, from) ?? path;
      if (!found.has(file) && file !== from) found.set(file, { file, reference: node.$ref, from });
    }
    for (const [key, child] of Object.entries(node)) {
      // What stands in an example is nobody's reference.
      if (!keysAreNames && ['example', 'examples', 'enum', 'const'].includes(key)) continue;
      stack.push({ node: child, keysAreNames: !keysAreNames && key === 'properties' });
    }
  }
  return [...found.values()];
}

function anchorsOf(root: unknown): ReadonlyMap<string, unknown> {
  const found = new Map<string, unknown>();
  const seen = new Set<unknown>();
  const stack = [root];
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    if (typeof node !== 'object' || node === null || seen.has(node)) continue;
    seen.add(node);
    if (isRecord(node) && typeof node.$anchor === 'string' && !found.has(node.$anchor)) found.set(node.$anchor, node);
    for (const child of Object.values(node)) if (typeof child === 'object' && child !== null) stack.push(child);
  }
  return found;
}

function absolute(path: string, from: string): string | null {
  try {
    return withoutFragment(from === '' ? new URL(path).href : new URL(path, from).href);
  } catch {
    // No address: nothing it could lead to.
    return null;
  }
}

const withoutFragment = (url: string): string => url.split('#')[0] ?? url;

export const isReference = (value: unknown): value is { readonly $ref: string } & Record<string, unknown> =>
  isRecord(value) && Object.hasOwn(value, '$ref') && typeof value.$ref === 'string';

/** Of an object or a list; undefined where it has none of this name. */
const memberOf = (value: unknown, key: string): unknown =>
  typeof value === 'object' && value !== null && Object.hasOwn(value, key) ? (value as Record<string, unknown>)[key] : undefined;

function pointerKey(segment: string): string {
  let text = segment;
  try {
    text = decodeURIComponent(segment);
  } catch {
    // A stray percent sign is meant literally.
  }
  return text.replace(/~1/g, '/').replace(/~0/g, '~');
}
