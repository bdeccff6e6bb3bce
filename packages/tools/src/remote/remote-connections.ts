import type { ConnectionCheck, ConnectionRecord, ProviderRecord } from '@code-executor/contracts';
import type {
  AuthorizationEnd,
  AuthorizationStart,
  ConnectionAdministration,
  ConnectionPage,
  ResealedSecrets,
} from '../connections/port.ts';
import type { Ask } from './remote-ask.ts';

/** Connections as the MCP proxy answers for them. Secrets pass through here on their way in, and never on the way out. */
export function remoteConnections(read: Ask, change: Ask): ConnectionAdministration {
  return {
    listConnections: (principal, query) => read<ConnectionPage>('listConnections', principal, query),
    getConnection: (principal, id) => read<ConnectionRecord>('getConnection', principal, id),
    addConnection: (principal, connection) => change<ConnectionRecord>('addConnection', principal, connection),
    changeConnection: (principal, id, given) => change<ConnectionRecord>('changeConnection', principal, id, given),
    removeConnection: (principal, id) => change<void>('removeConnection', principal, id),
    validateConnection: (principal, id) => change<ConnectionCheck>('validateConnection', principal, id),
    startAuthorization: (principal, id, redirectUri) => change<AuthorizationStart>('startAuthorization', principal, id, redirectUri),
    finishAuthorization: (parameters) => change<AuthorizationEnd>('finishAuthorization', null, parameters),
    listProviders: (principal) => read<readonly ProviderRecord[]>('listProviders', principal),
    resealSecrets: (principal, newKey) => change<ResealedSecrets>('resealSecrets', principal, newKey),
  };
}
