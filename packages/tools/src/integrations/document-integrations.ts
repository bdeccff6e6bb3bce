import type { DetectedIntegration } from '@code-executor/contracts';
import { AppError } from '@code-executor/platform';
import type { Catalog, CatalogChange } from '../catalog/catalog.ts';
import type { GuardedHttp } from '../outbound/port.ts';
import type { Trust } from '../policies/policies.ts';
import { isManagedDocument, type ManagedDocument, readingServer } from '../sources/documents/managed-document.ts';
import { baseUrlOf, type SourceRecord } from '../sources/documents/source-record.ts';
import type { ServerLog } from '../sources/mcp/mcp-server.ts';
import type { DocumentKind, SourceKind } from '../sources/port.ts';
import type { DocumentReader, ReadDocument } from '../sources/reading/read-document.ts';
import type { Servers } from '../sources/servers.ts';
import type { ManagedServer } from '../sources/source.ts';
import { assertStays } from './assert-stays.ts';
import { fetchDocument } from './fetch-document.ts';
import { identify } from './identify.ts';
import type { StoredIntegration } from './integration-store.ts';
import { checkBaseUrl, checkDocumentFields } from './parse-integration.ts';
import type { IntegrationChange, NewIntegration } from './port.ts';
import type { StoredServers } from './stored-servers.ts';

export interface DocumentIntegrationsDependencies {
  readonly servers: Servers;
  readonly stored: StoredServers;
  readonly catalog: Catalog;
  readonly outbound: GuardedHttp;
  readonly kinds: ReadonlyMap<DocumentKind, SourceKind>;
  readonly reader: DocumentReader;
  readonly log: ServerLog;
}

/** Integrations whose tools come from a document, as they are added, read anew and found out. */
export interface DocumentIntegrations {
  /** Null: there is no document at its address, but an MCP server. Nothing is left behind where it fails. @throws AppError */
  add(integration: NewIntegration, signal: AbortSignal): Promise<ManagedDocument | null>;
  /** @throws AppError */
  refresh(integration: ManagedServer, stored: StoredIntegration, change: IntegrationChange, signal: AbortSignal): Promise<CatalogChange>;
  /** @throws AppError */
  detect(url: string, signal: AbortSignal): Promise<DetectedIntegration>;
  /** Ends what is being read. */
  close(): void;
}

/** Of what comes before the tools are stored. */
const SHARE_OF_READING = 0.95;

export function createDocumentIntegrations(deps: DocumentIntegrationsDependencies): DocumentIntegrations {
  const { servers, stored, catalog, outbound, kinds, reader, log } = deps;
  const life = new AbortController();

  /** What a document refers to is fetched as any stranger's address: an admin has spelled out its own origin alone. */
  const fetchText = (url: string | undefined, signal: AbortSignal) => async (address: string) => {
    const http = url !== undefined && isSameOrigin(url, address) ? outbound.withOrigin(url, 'admin') : outbound;
    const { bytes } = await fetchDocument(address, http, signal);
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  };

  async function read(
    { slug, url, document, kind }: Pick<NewIntegration, 'slug' | 'url' | 'document'> & { readonly kind: DocumentKind | null },
    onProgress: (share: number) => void,
    outer: AbortSignal,
  ): Promise<ReadDocument | null> {
    const signal = AbortSignal.any([outer, life.signal]);
    const context = { fetchText: fetchText(url, signal), onProgress };
    if (document !== undefined) return await reader.read({ bytes: document, url: null, kind, slug, ...context }, signal);
    if (url === undefined) throw new AppError('INTEGRATION_INVALID', 'An integration has exactly one of "url", "document" and "command"');
    const http = outbound.withOrigin(url, 'admin');
    const found = await identify({ slug, url, kind, wantsTools: true, onProgress }, { kinds, reader, http, ...context }, signal);
    return 'read' in found ? found.read : null;
  }

  return {
    async add(integration, signal) {
      const { document: _, ...fields } = integration;
      const kind = documentKindOf(integration);
      if (kind !== null && !kinds.has(kind)) throw unknownKind(kind, kinds);
      const trust: Trust = fields.trust ?? 'annotations';
      let progress = 0;
      const done = Promise.withResolvers<void>();
      // Nobody has to wait for it.
      done.promise.catch(() => undefined);
      const reading = { done: done.promise, progress: () => progress };
      const placeholder = servers.add(readingServer({ slug: fields.slug, kind: kind ?? 'openapi', trust }, reading));
      let isSaved = false;
      try {
        const found = await read({ ...integration, kind }, (share) => (progress = share * SHARE_OF_READING), signal);
        if (found === null) {
          await servers.remove(fields.slug);
          return null;
        }
        if (servers.all().get(fields.slug) !== placeholder) throw removedMeanwhile(fields.slug);
        if (kind === null) checkDocumentFields(integration);
        const definition = { ...fields, kind: found.kind };
        await stored.save({ definition, source: null });
        isSaved = true;
        const change = await catalog.replace(fields.slug, found.tools, trust === true);
        const whole = { definition, source: recordOf(found) };
        await stored.update(whole);
        const managed = manage(whole);
        managed.changed(change);
        void managed.source.probe();
        return managed;
      } catch (error) {
        if (isSaved || servers.all().get(fields.slug) === placeholder) await servers.remove(fields.slug);
        if (isSaved) {
          await stored.remove(fields.slug);
          await catalog.remove(fields.slug, { forget: true });
        }
        throw error;
      } finally {
        done.resolve();
      }
    },

    async refresh(managed, { definition, source }, change, signal) {
      const { slug } = definition;
      if (change.baseUrl !== undefined) checkBaseUrl(change.baseUrl);
      const changed = change.baseUrl === undefined ? definition : { ...definition, baseUrl: change.baseUrl };
      const canFetch = definition.url !== undefined;
      const hasText = change.document !== undefined || (canFetch && (change.baseUrl === undefined || source === null));
      if (!hasText && change.baseUrl === undefined)
        throw new AppError('INVALID_REQUEST', `${slug} was added from a document: send the new one as "document"`);
      const { document } = change;
      const kind = definition.kind === 'mcp' ? null : definition.kind;
      const found = hasText
        ? await read({ slug, kind, document, url: document === undefined ? definition.url : undefined }, () => undefined, signal)
        : null;
      if (servers.all().get(slug) !== managed) throw removedMeanwhile(slug);
      const record = found === null ? source : recordOf(found);
      if (source !== null && found !== null && change.baseUrl === undefined)
        assertStays(slug, { definition, record: source }, { definition, record: found });
      if (record === null) throw new AppError('INVALID_REQUEST', `${slug} was never read: send its document as "document"`);
      const answer =
        found === null ? { added: [], removed: [], changed: [] } : await catalog.replace(slug, found.tools, definition.trust === true);
      await stored.update({ definition: changed, source: record });
      const now = manage({ definition: changed, source: record });
      now.changed(answer);
      await managed.source?.stop();
      if (definition.trust !== true)
        for (const tool of answer.changed)
          log.warn({ server: slug, tool }, 'The definition of a tool has changed: it needs approval again');
      void now.source.probe();
      return answer;
    },

    async detect(url, outer) {
      const signal = AbortSignal.any([outer, life.signal]);
      const http = outbound.withOrigin(url, 'admin');
      const what = { slug: 'detect', url, kind: null, wantsTools: false };
      const found = await identify(what, { kinds, reader, http, fetchText: fetchText(url, signal) }, signal);
      if ('mcp' in found) {
        const { why, title } = found.mcp;
        return { kind: 'mcp', why, title, version: null, operations: null, baseUrl: null, warnings: [] };
      }
      const { kind, why, title, version, operations, warnings } = found.read;
      const baseUrl = baseUrlOf({ url, baseUrl: null }, found.read);
      return { kind, why, title, version, operations, baseUrl, warnings: [...warnings] };
    },
    close: () => life.abort(new AppError('SHUTTING_DOWN', 'The service is stopping; nothing was added')),
  };

  function manage(integration: StoredIntegration): ManagedDocument {
    const managed = stored.manage(integration);
    if (managed === null || !isManagedDocument(managed)) throw new AppError('INTERNAL', `${integration.definition.slug} is no document`);
    return managed;
  }
}

const documentKindOf = ({ kind }: NewIntegration): DocumentKind | null => (kind === undefined || kind === 'mcp' ? null : kind);

const unknownKind = (kind: DocumentKind, kinds: ReadonlyMap<DocumentKind, SourceKind>): AppError =>
  new AppError('INTEGRATION_INVALID', `kind: there is no ${JSON.stringify(kind)} here; there are mcp, ${[...kinds.keys()].join(', ')}`);

const removedMeanwhile = (slug: string): AppError =>
  new AppError('SERVER_NOT_FOUND', `The integration ${slug} was removed while its document was read`);

function recordOf({ tools: _, ...summary }: ReadDocument): SourceRecord {
  return { ...summary, readAt: new Date().toISOString() };
}

const isSameOrigin = (a: string, b: string): boolean => URL.canParse(a) && URL.canParse(b) && new URL(a).origin === new URL(b).origin;
