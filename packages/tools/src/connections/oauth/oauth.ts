import type { ConnectionStatus } from '@code-executor/contracts';
import type { ServerLog } from '../../sources/mcp/mcp-server.ts';
import type { StoredConnection } from '../connection-store.ts';
import type { AuthorizationEnd, AuthorizationStart, ConnectedIntegration } from '../port.ts';
import { finishAuthorization, startAuthorization } from './authorize.ts';
import type { GrantStore } from './grant-store.ts';

export interface OauthDependencies {
  readonly grants: GrantStore;
  readonly log: ServerLog;
  /** As the row says now; null: it is gone. */
  connectionOf(id: string): Promise<StoredConnection | null>;
  /** @throws AppError SERVER_NOT_FOUND, INVALID_REQUEST where it takes no credential. */
  integrationOf(slug: string): ConnectedIntegration;
  valuesOf(connection: StoredConnection, signal: AbortSignal): Promise<Readonly<Record<string, string>>>;
  setStatus(id: string, status: ConnectionStatus, reason: string | null): Promise<void>;
}

/** What the administration of connections asks of OAuth. */
export interface OauthAdministration {
  start(
    connection: StoredConnection,
    connected: ConnectedIntegration,
    by: { readonly principalId: string; readonly redirectUri: string },
  ): Promise<AuthorizationStart>;
  finish(parameters: Readonly<Record<string, string>>): Promise<AuthorizationEnd>;
  /** Tokens that were obtained elsewhere. */
  keepGiven(
    connectionId: string,
    given: { readonly accessToken?: string | undefined; readonly refreshToken?: string | undefined },
  ): Promise<void>;
  expiresAt(connectionId: string): Promise<Date | null>;
}

export function createOauthAdministration(deps: OauthDependencies): OauthAdministration {
  const { grants } = deps;
  return {
    start: (connection, connected, by) => startAuthorization(connection, connected, by, deps),
    finish: (parameters) => finishAuthorization(parameters, deps),
    async keepGiven(connectionId, { accessToken = null, refreshToken = null }) {
      // How long it has lived already nobody knows; with a refresh token it is simply renewed first.
      const expiresAt = refreshToken === null ? null : new Date(0);
      await grants.saveTokens(connectionId, { accessToken, refreshToken, lifetimeMs: null }, expiresAt);
    },
    expiresAt: (connectionId) => grants.expiresAt(connectionId),
  };
}
