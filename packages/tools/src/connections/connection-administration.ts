import { allowsServer, type ConnectionAuth, type ConnectionStatus, idPattern, newId, type Principal } from '@code-executor/contracts';
import { AppError, isAppError } from '@code-executor/platform';
import type { Seal } from '../integrations/seal.ts';
import { assembleCredential } from './assemble-credential.ts';
import { recordOf } from './connection-record.ts';
import { type ConnectionStore, type StoredConnection, valuesPlace } from './connection-store.ts';
import { type ConnectionDomain, labelOf } from './connections.ts';
import type { OauthAdministration } from './oauth/oauth.ts';
import type { ConnectedIntegration, ConnectionAdministration, ResealedSecrets } from './port.ts';
import type { ValueProviders } from './providers/value-providers.ts';
import { type ReadAuth, readAuth } from './stored-auth.ts';
import { validateConnection } from './validate-connection.ts';

export interface ConnectionAdministrationDependencies {
  readonly connections: ConnectionDomain;
  readonly store: ConnectionStore;
  readonly workspaceId: string;
  readonly seal: Seal;
  readonly providers: ValueProviders;
  readonly oauth: OauthAdministration;
  /** Null: there is one, and it takes no credential. @throws AppError SERVER_NOT_FOUND with near matches */
  integrationOf(slug: string): { readonly slug: string; readonly connected: ConnectedIntegration | null };
  /** A change is in the database that other processes do not know of. */
  committed(): void;
  reseal(newKey: boolean): Promise<ResealedSecrets>;
}

/** Connections as the gateway asks for them. What it answers holds no secret value. */
export function createConnectionAdministration(deps: ConnectionAdministrationDependencies): ConnectionAdministration {
  const { connections, store, workspaceId, seal, providers, oauth } = deps;

  const shown = async (connection: StoredConnection) => recordOf(connection, await oauth.expiresAt(connection.id));

  function visible(principal: Principal): StoredConnection[] {
    requireHuman(principal);
    return connections
      .all()
      .filter(({ ownerId }) => ownerId === '' || ownerId === principal.id || principal.role === 'admin')
      .filter(({ integration }) => allowsServer(principal.scopes, integration));
  }

  async function find(principal: Principal, id: string): Promise<StoredConnection> {
    const look = (): StoredConnection | undefined => visible(principal).find((row) => row.id === id);
    let found = look();
    if (found === undefined && idPattern('con').test(id)) {
      await connections.reload();
      found = look();
    }
    if (found !== undefined) return found;
    throw new AppError('CONNECTION_NOT_FOUND', `There is no connection ${JSON.stringify(id.slice(0, 60))}; GET /connections lists them`);
  }

  async function findOwn(principal: Principal, id: string): Promise<StoredConnection> {
    const connection = await find(principal, id);
    requireOwner(principal, connection.ownerId);
    return connection;
  }

  function connectedOf(slug: string): ConnectedIntegration {
    const { slug: integration, connected } = deps.integrationOf(slug);
    if (connected !== null && connected.url !== null) return connected;
    if (connected !== null)
      throw new AppError('INVALID_REQUEST', `${integration} does not say where its calls go: give it a "baseUrl" first`);
    throw new AppError(
      'INVALID_REQUEST',
      `${integration} runs as a process of its own and takes no credential over a network: give it one in "env" of its definition`,
    );
  }

  /** Seals what was written, for the very row. */
  function sealedFor(row: { readonly id: string; readonly integration: string; readonly ownerId: string }, read: ReadAuth): string | null {
    if (Object.keys(read.sealed).length === 0) return null;
    const { id, integration, ownerId } = row;
    const settings = JSON.stringify(read.settings);
    return seal.seal(JSON.stringify(read.sealed), valuesPlace({ workspace_id: workspaceId, id, integration, owner_id: ownerId, settings }));
  }

  /** What can be said now need not be found out by a call. */
  function check(auth: ReadAuth, label: string): void {
    checkReferences(auth);
    if (auth.settings.type === 'oauth2' || Object.values(auth.settings.values).some(({ provider }) => provider !== 'sealed')) return;
    try {
      assembleCredential('', label, auth.settings, auth.sealed);
    } catch (error) {
      if (!isAppError(error, 'CONNECTION_BROKEN')) throw error;
      throw new AppError('INVALID_REQUEST', `auth: ${error.message}`);
    }
  }

  function checkReferences(auth: ReadAuth): void {
    for (const place of Object.values(auth.settings.values)) {
      if (place.provider === 'sealed') continue;
      const provider = providers.list().find(({ kind }) => kind === place.provider);
      if (provider?.configured !== true)
        throw new AppError(
          'INVALID_REQUEST',
          `The provider ${place.provider} is not configured here. ${provider?.description ?? ''}`.trim(),
        );
    }
  }

  async function changed(id: string): Promise<StoredConnection> {
    deps.committed();
    await connections.reload();
    const row = connections.all().find((candidate) => candidate.id === id);
    if (row === undefined) throw new AppError('CONNECTION_NOT_FOUND', `The connection ${id} was removed meanwhile`);
    return row;
  }

  return {
    async listConnections(principal, { integration, limit, cursor }) {
      await connections.reload();
      const all = visible(principal).filter((row) => integration === undefined || row.integration === integration);
      const start = cursor === undefined ? 0 : all.findIndex(({ id }) => id > cursor);
      const page = start === -1 ? [] : all.slice(start, start + limit);
      const last = page.at(-1);
      return {
        items: await Promise.all(page.map(shown)),
        total: all.length,
        nextCursor: last !== undefined && last !== all.at(-1) ? last.id : null,
      };
    },
    getConnection: async (principal, id) => shown(await find(principal, id)),
    async addConnection(principal, { integration, name, owner, principalId, auth, default: isDefault }) {
      const ownerId = ownerOf(principal, owner, principalId);
      requireOwner(principal, ownerId);
      const connected = connectedOf(integration);
      const read = readAuth(auth, connected);
      check(read, `${connected.slug}@${name}`);
      const row = { id: newId('con'), integration: connected.slug, ownerId };
      await store.insert({
        ...row,
        workspaceId,
        name,
        isDefault: isDefault === true ? true : null,
        auth: read.settings,
        sealedValues: sealedFor(row, read),
        status: statusOf(read),
        reason: null,
        createdBy: principal.id,
      });
      if (read.tokens !== null) await oauth.keepGiven(row.id, read.tokens);
      return shown(await changed(row.id));
    },
    async changeConnection(principal, id, change) {
      const connection = await findOwn(principal, id);
      if (change.auth !== undefined) await rotate(connection, change.auth);
      if (change.default === true) await store.makeDefault(connection);
      return shown(await changed(id));
    },
    async removeConnection(principal, id) {
      const connection = await findOwn(principal, id);
      await store.remove(connection.id);
      deps.committed();
      await connections.reload();
    },
    async validateConnection(principal, id, signal) {
      const connection = await findOwn(principal, id);
      return validateConnection(connection, { connections, connected: connectedOf(connection.integration) }, signal);
    },
    async startAuthorization(principal, id, redirectUri) {
      const connection = await findOwn(principal, id);
      return oauth.start(connection, connectedOf(connection.integration), { principalId: principal.id, redirectUri });
    },
    finishAuthorization: (parameters) => oauth.finish(parameters),
    async listProviders(principal) {
      requireHuman(principal);
      return providers.list();
    },
    async resealSecrets(principal, newKey) {
      if (principal.role !== 'admin')
        throw new AppError('FORBIDDEN', `The role ${principal.role} may not rotate the seal key; it takes admin`);
      return deps.reseal(newKey);
    },
  };

  async function rotate(connection: StoredConnection, auth: ConnectionAuth): Promise<void> {
    const read = readAuth(auth, connectedOf(connection.integration));
    check(read, labelOf(connection));
    const isThere = await store.replace(connection.id, {
      auth: read.settings,
      sealedValues: sealedFor(connection, read),
      status: statusOf(read),
      reason: null,
    });
    if (!isThere) throw new AppError('CONNECTION_NOT_FOUND', `${labelOf(connection)} was removed meanwhile`);
    if (read.tokens !== null) await oauth.keepGiven(connection.id, read.tokens);
  }
}

const statusOf = ({ settings, tokens }: ReadAuth): ConnectionStatus =>
  settings.type === 'oauth2' && settings.grant === 'authorization_code' && tokens === null ? 'needs_authorization' : 'active';

function ownerOf(principal: Principal, owner: 'workspace' | 'principal', principalId: string | undefined): string {
  if (owner === 'workspace') {
    if (principalId !== undefined) throw new AppError('INVALID_REQUEST', 'principalId goes with "owner": "principal"');
    return '';
  }
  return principalId ?? principal.id;
}

/** Credentials are people's affair: an agent uses connections and neither makes nor sees them. */
function requireHuman(principal: Principal): void {
  if (principal.role === 'agent') throw new AppError('FORBIDDEN', 'The role agent may not manage connections; it takes operator or admin');
}

function requireOwner(principal: Principal, ownerId: string): void {
  requireHuman(principal);
  if (principal.role === 'admin' || ownerId === principal.id) return;
  const whose = ownerId === '' ? "the workspace's connections" : `connections of ${ownerId}`;
  throw new AppError('FORBIDDEN', `The role ${principal.role} may not manage ${whose}; it takes admin`);
}
