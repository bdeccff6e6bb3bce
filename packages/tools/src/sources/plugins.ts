import { messageOf } from '@code-executor/platform/errors';
import { DOCUMENT_KINDS } from './kinds.ts';
import type { BuiltInKind, DocumentKind, SourceKind } from './port.ts';

/** One kind of source: the name of one that comes with the product, or the module of another, which exports it as `sourceKind`. */
export type SourcePlugin = BuiltInKind | URL;

export interface SourceKinds {
  /** The first that knows a document takes it. */
  readonly kinds: ReadonlyMap<DocumentKind, SourceKind>;
  /** The same for the threads that read documents, which load them anew; null: those that come with the product. */
  readonly plugins: readonly string[] | null;
}

export const BUILT_IN_KINDS: SourceKinds = { kinds: DOCUMENT_KINDS, plugins: null };

/** @throws Error naming the plugin, and what it lacks. */
export async function loadSourceKinds(plugins: readonly SourcePlugin[]): Promise<SourceKinds> {
  const names = plugins.map((plugin) => (plugin instanceof URL ? plugin.href : plugin));
  return { kinds: await assembleKinds(names, DOCUMENT_KINDS), plugins: names };
}

/** @throws Error as `loadSourceKinds`. */
export async function assembleKinds(
  plugins: readonly string[],
  builtIn: ReadonlyMap<DocumentKind, SourceKind>,
): Promise<ReadonlyMap<DocumentKind, SourceKind>> {
  const kinds = new Map<DocumentKind, SourceKind>();
  for (const plugin of plugins) {
    const kind = URL.canParse(plugin) ? await loadKind(plugin) : builtIn.get(plugin);
    if (kind === undefined) throw wrong(plugin, `there is ${[...builtIn.keys()].join(', ')}; another kind is the URL of its module`);
    if (kinds.has(kind.kind)) throw wrong(plugin, `the kind ${kind.kind} is there twice`);
    kinds.set(kind.kind, kind);
  }
  return kinds;
}

const NAME = /^[a-z][a-z0-9-]{0,31}$/;
/** Integrations of these are no documents. */
const TAKEN = ['mcp', 'skills', 'executor'];
const METHODS = ['detect', 'parse', 'invoke', 'probe'] as const;

async function loadKind(url: string): Promise<SourceKind> {
  let module: { readonly sourceKind?: Partial<Record<keyof SourceKind, unknown>> };
  try {
    module = (await import(url)) as typeof module;
  } catch (error) {
    throw wrong(url, `it cannot be loaded: ${messageOf(error)}`, error);
  }
  const { sourceKind } = module;
  if (typeof sourceKind !== 'object' || sourceKind === null) throw wrong(url, 'it exports no object named sourceKind');
  const { kind } = sourceKind;
  if (typeof kind !== 'string' || !NAME.test(kind) || TAKEN.includes(kind))
    throw wrong(url, `its kind is to be up to 32 of a–z, 0–9 and -, a letter first, and none of ${TAKEN.join(', ')}`);
  const lacking = METHODS.filter((method) => typeof sourceKind[method] !== 'function');
  if (lacking.length > 0) throw wrong(url, `it lacks ${lacking.join(', ')}`);
  return sourceKind as SourceKind;
}

const wrong = (plugin: string, why: string, cause?: unknown): Error => new Error(`plugins: ${plugin}: ${why}`, { cause });
