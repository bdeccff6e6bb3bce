import type { ConnectionRecord } from '@code-executor/contracts';
import type { StoredConnection } from './connection-store.ts';
import type { StoredAuth } from './stored-auth.ts';

/** A connection as it is shown. Its type has no place for a value. */
export function recordOf(connection: StoredConnection, expiresAt: Date | null): ConnectionRecord {
  const { integration, name, ownerId } = connection;
  return {
    id: connection.id,
    integration,
    name,
    owner: ownerId === '' ? 'workspace' : 'principal',
    principalId: ownerId === '' ? null : ownerId,
    default: connection.isDefault,
    address: `${integration}@${name}`,
    auth: shown(connection.auth),
    status: connection.status,
    reason: connection.reason,
    expiresAt: expiresAt?.toISOString() ?? null,
    createdAt: connection.createdAt.toISOString(),
    updatedAt: connection.updatedAt.toISOString(),
  };
}

function shown(auth: StoredAuth): ConnectionRecord['auth'] {
  const values = Object.fromEntries(
    Object.entries(auth.values).map(([name, place]) => [
      name,
      place.provider === 'sealed' ? { provider: place.provider } : { provider: place.provider, key: place.key },
    ]),
  );
  if (auth.type === 'apiKey') return { type: auth.type, in: auth.in, name: auth.name, values };
  if (auth.type === 'headers') return { type: auth.type, headers: Object.keys(auth.values), values };
  if (auth.type !== 'oauth2') return { type: auth.type, values };
  return {
    type: auth.type,
    grant: auth.grant,
    ...(auth.clientId === undefined ? {} : { clientId: auth.clientId }),
    scopes: [...auth.scopes],
    ...(auth.issuer === undefined ? {} : { issuer: auth.issuer }),
    values,
  };
}
