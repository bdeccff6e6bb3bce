import { allowsServer, type IntegrationRecord, type Principal, type Role } from '@code-executor/contracts';
import { AppError } from '@code-executor/platform';
import type { Catalog } from '../catalog/catalog.ts';
import type { ToolResolver } from '../catalog/tool-resolver.ts';
import type { Connections } from '../connections/port.ts';
import type { Servers } from '../sources/servers.ts';
import { isBuiltIn, type ManagedServer } from '../sources/source.ts';
import type { DocumentIntegrations } from './document-integrations.ts';
import { integrationRecord } from './integration-record.ts';
import type { IntegrationStore } from './integration-store.ts';
import { checkIntegration, NO_COMMANDS, parseMcpIntegration } from './parse-integration.ts';
import type { IntegrationAdministration, IntegrationChange, NewIntegration } from './port.ts';
import type { StoredServers } from './stored-servers.ts';

export interface IntegrationAdministrationDependencies {
  readonly servers: Servers;
  readonly stored: StoredServers;
  readonly integrations: Pick<IntegrationStore, 'load'>;
  readonly documents: DocumentIntegrations;
  readonly connections: Pick<Connections, 'removeOf'>;
  readonly catalog: Catalog;
  readonly resolver: Pick<ToolResolver, 'server'>;
  /** Whether an integration may be a command on the operator's machine. */
  readonly mayRunCommands: boolean;
  visibilityChanged(): void;
  /** A change is in the database that other processes do not know of. */
  committed(): void;
  /** Wrappers and search hold the present tools. */
  settled(): Promise<void>;
}

/** Answered at once where it is in memory. */
export interface LocalIntegrationAdministration extends IntegrationAdministration {
  listIntegrations(principal: Principal): readonly IntegrationRecord[];
  getIntegration(principal: Principal, slug: string): IntegrationRecord;
}

const CONNECT_TIMEOUT_MS = 40_000;
/** Fetching, reading and storing a large document; below what the gateway waits for an answer. */
const DOCUMENT_TIMEOUT_MS = 170_000;
const DETECT_TIMEOUT_MS = 60_000;

export function createIntegrationAdministration(deps: IntegrationAdministrationDependencies): LocalIntegrationAdministration {
  const { servers, stored, documents, catalog, resolver } = deps;
  const recordOf = (managed: ManagedServer): IntegrationRecord => integrationRecord(managed, catalog);

  const integrationOf = (slug: string): ManagedServer => {
    const managed = resolver.server(slug);
    if (!isBuiltIn(managed.kind)) return managed;
    throw new AppError('SERVER_NOT_FOUND', `${managed.slug} is built in, and no integration`);
  };

  return {
    listIntegrations: ({ scopes }) =>
      [...servers.all().values()].filter(({ slug, kind }) => !isBuiltIn(kind) && allowsServer(scopes, slug)).map(recordOf),
    getIntegration: (_principal, slug) => recordOf(integrationOf(slug)),
    async addIntegration(principal, integration) {
      requireRole(principal, ['admin'], 'add integrations');
      checkIntegration(integration);
      if (integration.command !== undefined && !deps.mayRunCommands) throw new AppError('FORBIDDEN', NO_COMMANDS);
      if (servers.all().has(integration.slug))
        throw new AppError('INTEGRATION_EXISTS', `There is an integration ${integration.slug} already`);
      const mayBeDocument = integration.command === undefined && integration.kind !== 'mcp';
      const document = mayBeDocument ? await documents.add(integration, AbortSignal.timeout(DOCUMENT_TIMEOUT_MS)) : null;
      const managed = document ?? (await addMcp(integration));
      deps.committed();
      deps.visibilityChanged();
      await deps.settled();
      return recordOf(managed);
    },
    async detectIntegration(principal, url) {
      requireRole(principal, ['admin'], 'look at what lies at an address');
      return await documents.detect(url, AbortSignal.timeout(DETECT_TIMEOUT_MS));
    },
    async removeIntegration(principal, slug) {
      requireRole(principal, ['admin', 'operator'], 'remove integrations');
      const managed = integrationOf(slug);
      if (managed.origin === 'file')
        throw new AppError('INVALID_REQUEST', `${managed.slug} is defined in the servers file: remove it there and restart the service`);
      // First: what is added under this slug next must not find them.
      await deps.connections.removeOf(managed.slug);
      await drop(managed.slug);
    },
    async refreshIntegration(principal, slug, change = {}) {
      requireRole(principal, ['admin', 'operator'], 'refresh integrations');
      const managed = integrationOf(slug);
      if (managed.kind === 'mcp') return await refreshMcp(managed, change);
      // An address that is spelled out opens what is near: that is an admin's to say.
      if (change.baseUrl !== undefined) requireRole(principal, ['admin'], 'say where the calls of an integration go');
      const found = (await deps.integrations.load()).find(({ definition }) => definition.slug === managed.slug);
      if (found === undefined) throw new AppError('SERVER_NOT_FOUND', `There is no integration ${managed.slug} any more`);
      const { added, removed, changed } = await documents.refresh(managed, found, change, AbortSignal.timeout(DOCUMENT_TIMEOUT_MS));
      deps.committed();
      deps.visibilityChanged();
      await deps.settled();
      return { ...recordOf(resolver.server(managed.slug)), added: [...added], removed: [...removed], changed: [...changed] };
    },
  };

  async function addMcp(integration: NewIntegration): Promise<ManagedServer> {
    const { document: _, ...fields } = integration;
    const definition = { ...fields, kind: 'mcp' as const };
    parseMcpIntegration(definition);
    await stored.save({ definition, source: null });
    try {
      const managed = stored.manage({ definition, source: null });
      if (managed?.source === null || managed === null) throw new AppError('INTEGRATION_INVALID', `${integration.slug} cannot be used`);
      if (!managed.source.lazy) await connectOrWait(managed);
      return managed;
    } catch (error) {
      await drop(integration.slug);
      throw error;
    } finally {
      deps.committed();
    }
  }

  /** One that wants a credential is kept: a connection can be made only for an integration that is there. */
  async function connectOrWait(managed: ManagedServer): Promise<void> {
    try {
      await connect(managed);
    } catch (error) {
      if (managed.state().wantsCredential !== true) throw error;
    }
  }

  async function refreshMcp(managed: ManagedServer, change: IntegrationChange) {
    if (change.document !== undefined || change.baseUrl !== undefined)
      throw new AppError('INVALID_REQUEST', `${managed.slug} is an MCP server: it is refreshed without a body`);
    if (managed.source === null) throw new AppError('INTEGRATION_INVALID', `${managed.slug}: ${managed.state().reason}`);
    if (managed.state().state === 'broken') managed.source.start();
    const before = managed.state().state;
    await connect(managed);
    if (before === 'ready') await managed.source.relist(AbortSignal.timeout(CONNECT_TIMEOUT_MS));
    await deps.settled();
    const { added, removed, changed } = managed.lastChange();
    return { ...recordOf(managed), added: [...added], removed: [...removed], changed: [...changed] };
  }

  async function connect(managed: ManagedServer): Promise<void> {
    try {
      await managed.source?.up(AbortSignal.timeout(CONNECT_TIMEOUT_MS));
    } catch (error) {
      const reason = managed.state().reason ?? 'it did not answer in time';
      throw new AppError('INTEGRATION_UNREACHABLE', `${managed.slug} could not be reached: ${reason}`, { cause: error });
    }
  }

  async function drop(slug: string): Promise<void> {
    await stored.remove(slug);
    deps.committed();
    await catalog.remove(slug, { forget: true });
    deps.visibilityChanged();
    await deps.settled();
  }
}

function requireRole({ role }: Principal, roles: readonly Role[], act: string): void {
  if (!roles.includes(role)) throw new AppError('FORBIDDEN', `The role ${role} may not ${act}; it takes ${roles.join(' or ')}`);
}
