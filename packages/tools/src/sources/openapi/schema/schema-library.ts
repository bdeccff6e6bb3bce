import { hash } from 'node:crypto';
import type { JsonSchema } from '@code-executor/contracts';
import type { DocumentSet, Located } from '../document/document-set.ts';
import { cutToSize, outline } from './cut-to-size.ts';
import { referencesOf } from './references-of.ts';
import { createTranslator, type Dialect, type Direction } from './translate-schema.ts';

export interface SchemaLibrary {
  /** A schema of the document as JSON Schema 2020-12. Its references lead into `$defs`, which `withDefinitions` brings. */
  translate(schema: unknown, file: string): JsonSchema;
  /** The schema with the definitions it needs, nearest first, as many as fit; what does not fit is said to be of its type, no more. */
  withDefinitions(schema: JsonSchema): JsonSchema;
}

interface Definition {
  readonly schema: JsonSchema;
  readonly characters: number;
  readonly references: readonly string[];
}

export interface SchemaLibraryOptions {
  readonly dialect: Dialect;
  readonly direction: Direction;
  /** Of one tool's schema with its definitions. */
  readonly mostCharacters: number;
  warn(message: string): void;
}

/** Translates each shared schema of a document once, when a tool first needs it. */
export function createSchemaLibrary(documents: DocumentSet, options: SchemaLibraryOptions): SchemaLibrary {
  const names = new Map<string, string>();
  const targets = new Map<string, Located>();
  const definitions = new Map<string, Definition>();
  const translate = createTranslator(documents, { ...options, nameOf });

  function nameOf(target: Located): string {
    const place = `${target.file}#${target.pointer}`;
    const known = names.get(place);
    if (known !== undefined) return known;
    const name = definitionName(target, documents.rootFile);
    names.set(place, name);
    targets.set(name, target);
    return name;
  }

  function definition(name: string): Definition | null {
    const known = definitions.get(name);
    if (known !== undefined) return known;
    const target = targets.get(name);
    if (target === undefined) return null;
    const made = measured(translate(target.value, target.file, 'shared'));
    definitions.set(name, made);
    return made;
  }

  return {
    translate,
    withDefinitions(schema) {
      const root = cutToSize(inPlace(schema), options.mostCharacters * LARGEST_SHARE);
      if (typeof root === 'boolean') return root;
      const included = new Map<string, JsonSchema>();
      let room = options.mostCharacters - JSON.stringify(root).length;
      const queue = referencesOf(root);
      for (let at = 0; at < queue.length; at += 1) {
        const name = queue[at] ?? '';
        if (included.has(name)) continue;
        const found = definition(name);
        const share = Math.max(room, 0) * LARGEST_SHARE;
        // One that is large for the room there is shall not keep all others out.
        const fitting = found === null || found.characters <= share ? found : measured(cutToSize(found.schema, share));
        const taken = fitting !== null && fitting.characters <= share ? fitting : null;
        included.set(name, taken === null ? outline(found?.schema ?? true) : taken.schema);
        room -= name.length + (taken === null ? 40 : taken.characters);
        if (taken !== null) queue.push(...taken.references);
      }
      return included.size === 0 ? root : { ...root, $defs: Object.fromEntries(included) };
    },
  };

  /** A schema that is nothing but a reference becomes what it refers to. */
  function inPlace(schema: JsonSchema): JsonSchema {
    if (
      typeof schema === 'boolean' ||
      typeof schema.$ref !== 'string' ||
      Object.keys(schema).some((key) => !['$ref', 'description'].includes(key))
    )
      return schema;
    const [name = ''] = referencesOf(schema);
    const target = definition(name)?.schema ?? schema;
    return typeof target === 'boolean' || '$ref' in target ? schema : target;
  }
}

/** Of the room that is left. */
const LARGEST_SHARE = 0.6;

const measured = (schema: JsonSchema): Definition => ({
  schema,
  characters: JSON.stringify(schema).length,
  references: referencesOf(schema),
});

/** The name that people know; a digest of the place beside it where that may not be the only one of this name. */
function definitionName({ file, pointer }: Located, rootFile: string): string {
  // A file that is one schema has the name of the file.
  const place = pointer === '' ? file.replace(/\.(?:json|ya?ml)$/i, '') : pointer;
  const raw = decoded(place.slice(place.lastIndexOf('/') + 1));
  const safe = raw.replace(/[^A-Za-z0-9_.-]+/g, '_').slice(0, 60);
  const isPlain = file === rootFile && /^\/(?:components\/schemas|definitions|\$defs)\/[^/]+$/.test(pointer);
  if (isPlain && safe === raw && !safe.startsWith('__') && safe !== '') return safe;
  return `${safe.replace(/^_+/, '') || 'schema'}_${hash('sha256', `${file}#${pointer}`).slice(0, 6)}`;
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment).replace(/~1/g, '/').replace(/~0/g, '~');
  } catch {
    // A stray percent sign is meant literally.
    return segment;
  }
}
