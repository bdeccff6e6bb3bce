import { DEFAULT_WORKSPACE_ID } from '@code-executor/contracts';
import { AppError, type Database } from '@code-executor/platform';
import { resealAll } from '../integrations/reseal.ts';
import type { RotatingSeal } from '../integrations/seal.ts';
import type { GuardedHttp } from '../outbound/port.ts';
import type { ServerLog } from '../sources/mcp/mcp-server.ts';
import { createConnectionAdministration } from './connection-administration.ts';
import { createConnectionStore } from './connection-store.ts';
import { type ConnectionDomain, createConnections } from './connections.ts';
import { createAccessTokens } from './oauth/access-tokens.ts';
import { createGrantStore } from './oauth/grant-store.ts';
import { createOauthAdministration, type OauthDependencies } from './oauth/oauth.ts';
import type { ConnectedIntegration, ConnectionAdministration } from './port.ts';
import { createEnvProvider } from './providers/env-provider.ts';
import { createFileProvider } from './providers/file-provider.ts';
import { createValueProviders } from './providers/value-providers.ts';
import { createVaultProvider, type VaultSettings } from './providers/vault-provider.ts';
import type { ConnectionTables } from './tables.ts';

/** Where the operator lets secret values be read from. */
export interface SecretSettings {
  readonly filesDirs: readonly string[];
  /** Null: there is none. */
  readonly vault: VaultSettings | null;
  /** How long a value that was read is used before it is read again. */
  readonly cacheMs: number;
}

export interface OpenedConnections {
  readonly connections: ConnectionDomain;
  readonly administration: ConnectionAdministration;
  close(): Promise<void>;
}

/** Connections of one workspace, with their values, tokens and administration. */
export async function openConnections(options: {
  readonly db: Database;
  readonly workspaceId: string;
  readonly seal: RotatingSeal;
  readonly log: ServerLog;
  readonly secrets: SecretSettings;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly outbound: GuardedHttp;
  /** @throws AppError SERVER_NOT_FOUND with near matches */
  integrationOf(slug: string): { readonly slug: string; readonly connected: ConnectedIntegration | null };
  committed(): void;
}): Promise<OpenedConnections> {
  const { db, workspaceId, seal, log, secrets, committed } = options;
  const tables = db.query<ConnectionTables>();
  const store = createConnectionStore(tables, workspaceId);
  const providers = createValueProviders(
    [
      createFileProvider(secrets.filesDirs),
      createEnvProvider(options.environment),
      createVaultProvider(secrets.vault, { outbound: options.outbound, log }),
    ],
    secrets.cacheMs,
  );
  const oauth: OauthDependencies = {
    grants: createGrantStore(tables, workspaceId, seal),
    log,
    async connectionOf(id) {
      await connections.reload();
      return connections.all().find((connection) => connection.id === id) ?? null;
    },
    integrationOf(slug) {
      const { connected } = options.integrationOf(slug);
      if (connected === null) throw new AppError('INVALID_REQUEST', `${slug} takes no credential`);
      return connected;
    },
    valuesOf: (connection, signal) => connections.valuesOf(connection, signal),
    async setStatus(id, status, reason) {
      await store.setStatus(id, status, reason);
      committed();
      await connections.reload();
    },
  };
  const connections: ConnectionDomain = await createConnections({
    store,
    workspaceId,
    seal,
    providers,
    tokens: createAccessTokens(oauth),
    log,
  });
  const reseal = async (newKey: boolean) => {
    if (newKey) await seal.keys.add();
    const resealed = await resealAll({ db: db.query(), seal, log });
    await connections.reload();
    log.info({ keyId: resealed.keyId, resealed: resealed.resealed, keys: resealed.keys }, 'Secrets were sealed anew');
    return resealed;
  };
  // What a rotation that was cut off has left.
  if (seal.keys.count() > 1 && workspaceId === DEFAULT_WORKSPACE_ID) await reseal(false);
  const administration = createConnectionAdministration({
    connections,
    store,
    workspaceId,
    seal,
    providers,
    oauth: createOauthAdministration(oauth),
    integrationOf: options.integrationOf,
    committed,
    reseal,
  });
  return { connections, administration, close: () => providers.close() };
}

/** What no stdio server may see. */
export const secretPathsOf = ({ filesDirs, vault }: SecretSettings): readonly string[] => [
  ...filesDirs,
  ...(vault?.login.method === 'kubernetes' ? [vault.login.tokenFile] : []),
];
