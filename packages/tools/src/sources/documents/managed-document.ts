import { AppError } from '@code-executor/platform';
import type { Catalog, CatalogChange } from '../../catalog/catalog.ts';
import type { Connections } from '../../connections/port.ts';
import type { GuardedHttp } from '../../outbound/port.ts';
import type { Trust } from '../../policies/policies.ts';
import { driftWarnings } from '../drift-warnings.ts';
import type { ServerLog } from '../mcp/mcp-server.ts';
import type { DocumentKind, SourceKind } from '../port.ts';
import { type ManagedServer, NO_CHANGE, type Source } from '../source.ts';
import { createDocumentSource, type DocumentDefinition, type DocumentSource } from './document-source.ts';
import { baseUrlOf, baseUrlWarnings, type SourceRecord } from './source-record.ts';

/** An integration whose tools come from a document. */
export interface ManagedDocument extends ManagedServer {
  readonly kind: DocumentKind;
  readonly definition: DocumentDefinition;
  readonly record: SourceRecord;
  readonly source: DocumentSource;
  /** Of the listing that was just taken. */
  changed(change: CatalogChange): void;
}

export interface ManageDocumentDependencies {
  readonly catalog: Catalog;
  readonly outbound: GuardedHttp;
  readonly kinds: ReadonlyMap<DocumentKind, SourceKind>;
  readonly connections: Pick<Connections, 'credentialFor' | 'rejected'>;
  binding(server: string, name: string, digest: string): Promise<string | null>;
  readonly log: ServerLog;
}

/** Ready as soon as it is made: its document was read before. */
export function manageDocument(
  definition: DocumentDefinition,
  trust: Trust,
  record: SourceRecord,
  { catalog, outbound, kinds, connections, binding, log }: ManageDocumentDependencies,
): ManagedDocument {
  const { slug } = definition;
  const kind = kinds.get(record.kind);
  if (kind === undefined) throw new AppError('INTEGRATION_INVALID', `kind: there is no ${JSON.stringify(record.kind)} here any more`);
  const origin = spelledOrigin(definition);
  const source = createDocumentSource(definition, record, {
    kind,
    http: origin === null ? outbound : outbound.withOrigin(origin, 'admin'),
    connections,
    binding: (name, digest) => binding(slug, name, digest),
    log,
  });
  const warning = origin === null ? null : outbound.warningOf(origin);
  let lastChange = NO_CHANGE;
  return {
    slug,
    kind: record.kind,
    origin: 'api',
    trust,
    definition,
    record,
    source,
    state: source.state,
    warnings: () => [
      ...(warning === null ? [] : [warning]),
      ...baseUrlWarnings(definition, record),
      ...record.warnings,
      ...(trust === true ? [] : driftWarnings(catalog, slug)),
    ],
    lastChange: () => lastChange,
    changed(change) {
      lastChange = change;
    },
  };
}

/** What an admin key has spelled out, and no address out of a document, opens what is near. */
function spelledOrigin({ baseUrl, url }: DocumentDefinition): string | null {
  return baseUrl ?? url;
}

export const callsGoTo = ({ definition, record }: Pick<ManagedDocument, 'definition' | 'record'>): string | null =>
  baseUrlOf(definition, record);

export const isManagedDocument = (managed: ManagedServer): managed is ManagedDocument => 'record' in managed;

/** One whose document is being read for the first time: it has no tools yet, and calls of them wait. */
export function readingServer(
  fields: Pick<ManagedServer, 'slug' | 'kind' | 'trust'>,
  work: { readonly done: Promise<unknown>; progress(): number },
): ManagedServer {
  const { slug, kind, trust } = fields;
  const state: ManagedServer['state'] = () => ({ state: 'starting', reason: null, restarts: 0, progress: work.progress() });
  const settled = async (): Promise<void> => {
    await work.done.catch(() => undefined);
  };
  const source: Source = {
    slug,
    kind,
    transport: 'http',
    lazy: false,
    callTimeoutMs: 0,
    readOnlyTools: [],
    state,
    start: () => undefined,
    settled,
    async up(signal) {
      await Promise.race([
        settled(),
        new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true })),
      ]);
    },
    async prepare() {
      throw new AppError('UPSTREAM_UNAVAILABLE', `The document of ${slug} is still being read`, { details: { server: slug } });
    },
    relist: settled,
    stop: async () => undefined,
  };
  return { slug, kind, origin: 'api', trust, source, state, warnings: () => [], lastChange: () => NO_CHANGE };
}

/** One whose reading was cut short, or is another process's, or whose plugin is here no more. */
export function unreadServer(
  { slug, kind, trust }: Pick<ManagedServer, 'slug' | 'kind' | 'trust'>,
  otherKinds: readonly string[] = [],
): ManagedServer {
  const reason =
    otherKinds.length > 0
      ? `there is no kind ${JSON.stringify(kind)} here any more, but ${otherKinds.join(', ')}: start the service with its plugin, or remove the integration`
      : `its document has not been read to its end: read it with POST /integrations/${slug}/refresh, or remove the integration`;
  return {
    slug,
    kind,
    origin: 'api',
    trust,
    source: null,
    state: () => ({ state: 'broken', reason, restarts: 0 }),
    warnings: () => [],
    lastChange: () => NO_CHANGE,
  };
}
