import { AppError, isAppError } from '@code-executor/platform';
import { didYouMean, suggestions } from '../catalog/suggestions.ts';
import { createTurn } from '../in-turn.ts';
import type { Seal } from '../integrations/seal.ts';
import type { ServerLog } from '../sources/mcp/mcp-server.ts';
import { printable } from '../sources/mcp/stderr-log.ts';
import { assembleCredential } from './assemble-credential.ts';
import { type ConnectionStore, type StoredConnection, valuesPlace } from './connection-store.ts';
import type { Connections, Credential, CredentialRequest } from './port.ts';
import type { ValueProviders } from './providers/value-providers.ts';

/** What holds and renews the tokens of connections by OAuth. */
export interface AccessTokens {
  /** One that is valid for some time yet. @throws AppError CONNECTION_BROKEN, CONNECTION_UNAVAILABLE; the signal's reason. */
  accessToken(connection: StoredConnection, values: () => Promise<Readonly<Record<string, string>>>, signal: AbortSignal): Promise<string>;
  /** It was refused: the next question renews it. */
  rejected(connectionId: string): void;
}

/** The connections of one workspace: their rows in memory, the database holds them. */
export interface ConnectionDomain extends Connections {
  all(): readonly StoredConnection[];
  /** The connection's credential, whoever asks. @throws like `credentialFor` */
  open(connection: StoredConnection, signal: AbortSignal): Promise<Credential>;
  /** The values of a connection by name, without those of OAuth's tokens. */
  valuesOf(connection: StoredConnection, signal: AbortSignal): Promise<Readonly<Record<string, string>>>;
  /** Takes over what the rows say now. Answers whether there was anything new. */
  reload(): Promise<boolean>;
  /** Called with the integrations whose connections have changed. Must not throw. */
  onChange(listener: (integrations: ReadonlySet<string>) => void): void;
}

export interface ConnectionsDependencies {
  readonly store: ConnectionStore;
  readonly workspaceId: string;
  readonly seal: Seal;
  readonly providers: ValueProviders;
  readonly tokens: AccessTokens;
  readonly log: ServerLog;
}

/** A name that is not known here may have been given in another process a moment ago; looked up no more often than this. */
const LOOK_AGAIN_MS = 1_000;

export async function createConnections(deps: ConnectionsDependencies): Promise<ConnectionDomain> {
  const { store, workspaceId, seal, providers, tokens, log } = deps;
  const listeners: ((integrations: ReadonlySet<string>) => void)[] = [];
  const inTurn = createTurn();
  let rows: readonly StoredConnection[] = await store.load();
  let byIntegration = grouped(rows);
  let lookedAt = Number.NEGATIVE_INFINITY;

  const mayUse = ({ ownerId }: StoredConnection, principalId: string): boolean => ownerId === '' || ownerId === principalId;

  /** The principal's own comes first, by name as by default. */
  function find({ integration, connection, principal }: CredentialRequest): StoredConnection | null {
    if (principal.workspaceId !== workspaceId) return null;
    const usable = (byIntegration.get(integration) ?? []).filter((row) => mayUse(row, principal.id));
    const wanted = usable.filter((row) => (connection === null ? row.isDefault : row.name === connection));
    return wanted.find(({ ownerId }) => ownerId !== '') ?? wanted[0] ?? null;
  }

  function unknown({ integration, connection, principal }: CredentialRequest): AppError {
    const names = (byIntegration.get(integration) ?? []).filter((row) => mayUse(row, principal.id)).map(({ name }) => name);
    const distinct = [...new Set(names)];
    const near = suggestions(connection ?? '', distinct);
    const list =
      distinct.length === 0 ? ` ${integration} has none yet: POST /connections adds one` : ` There are ${distinct.slice(0, 20).join(', ')}`;
    return new AppError(
      'CONNECTION_NOT_FOUND',
      `${integration} has no connection ${JSON.stringify(printable(connection ?? '', 80))}.${didYouMean(near) || list}`,
      { details: { integration, connections: distinct.slice(0, 100), suggestions: near } },
    );
  }

  function resolve(request: CredentialRequest): StoredConnection | null {
    const found = find(request);
    if (found === null && request.connection !== null) throw unknown(request);
    return found;
  }

  async function valuesOf(connection: StoredConnection, signal: AbortSignal): Promise<Readonly<Record<string, string>>> {
    const sealed = openSealed(connection);
    const read = Object.entries(connection.auth.values).map(async ([name, place]) => {
      const value = place.provider === 'sealed' ? sealed[name] : await providers.read(place.provider, place.key, signal);
      return [name, value] as const;
    });
    const values: Record<string, string> = {};
    for (const [name, value] of await Promise.all(read)) if (value !== undefined) values[name] = value;
    return values;
  }

  function openSealed(connection: StoredConnection): Record<string, string> {
    if (connection.sealedValues === null) return {};
    try {
      return JSON.parse(seal.open(connection.sealedValues, placeOf(connection))) as Record<string, string>;
    } catch (error) {
      log.warn(
        { connection: connection.id, integration: connection.integration, err: error },
        'The secrets of a connection cannot be opened',
      );
      throw new AppError(
        'CONNECTION_BROKEN',
        `The secrets of ${labelOf(connection)} cannot be opened with the seal key of this service: bring its key file back from a backup, or give them anew with PATCH /connections/${connection.id}`,
        { cause: error },
      );
    }
  }

  async function open(connection: StoredConnection, signal: AbortSignal): Promise<Credential> {
    const label = labelOf(connection);
    try {
      if (connection.status !== 'active') throw unauthorized(connection);
      const values =
        connection.auth.type === 'oauth2'
          ? { accessToken: await tokens.accessToken(connection, () => valuesOf(connection, signal), signal) }
          : await valuesOf(connection, signal);
      return assembleCredential(connection.id, label, connection.auth, values);
    } catch (error) {
      if (!isAppError(error) || error.message.startsWith(label)) throw error;
      throw new AppError(error.code, `${label}: ${error.message}`, { cause: error, details: { connection: connection.id } });
    }
  }

  async function reload(): Promise<boolean> {
    const found = await store.load();
    const changed = changedIntegrations(rows, found);
    if (changed.size === 0) return false;
    rows = found;
    byIntegration = grouped(found);
    for (const listener of listeners) listener(changed);
    return true;
  }

  return {
    all: () => rows,
    open,
    valuesOf,
    resolve(request) {
      const found = resolve(request);
      return found === null
        ? null
        : { id: found.id, name: found.name, owner: found.ownerId === '' ? 'workspace' : 'principal', version: found.version };
    },
    async credentialFor(request, signal) {
      signal.throwIfAborted();
      if (request.connection !== null && find(request) === null && performance.now() - lookedAt > LOOK_AGAIN_MS) {
        lookedAt = performance.now();
        await inTurn(reload);
      }
      const connection = resolve(request);
      return connection === null ? null : open(connection, signal);
    },
    rejected({ connectionId }) {
      tokens.rejected(connectionId);
      const places = Object.values(rows.find(({ id }) => id === connectionId)?.auth.values ?? {});
      for (const place of places) if (place.provider !== 'sealed') providers.forget(place.provider, place.key);
    },
    async removeOf(integration) {
      if (await store.removeOf(integration)) await inTurn(reload);
    },
    reload: () => inTurn(reload),
    onChange: (listener) => void listeners.push(listener),
  };
}

export const labelOf = ({ integration, name, ownerId }: StoredConnection): string =>
  `The connection ${integration}@${name}${ownerId === '' ? '' : ` of ${ownerId}`}`;

const placeOf = (connection: StoredConnection): string =>
  valuesPlace({
    workspace_id: connection.workspaceId,
    id: connection.id,
    integration: connection.integration,
    owner_id: connection.ownerId,
    settings: JSON.stringify(connection.auth),
  });

/** What a person has to do before the connection can be used. */
function unauthorized(connection: StoredConnection): AppError {
  const why = connection.reason === null ? '' : ` (${connection.reason})`;
  const state = connection.status === 'needs_authorization' ? 'has not been authorized yet' : 'is no longer authorized';
  return new AppError(
    'CONNECTION_BROKEN',
    `${labelOf(connection)} ${state}${why}: POST /connections/${connection.id}/oauth/start gives the address of the consent page`,
    { details: { connection: connection.id, status: connection.status } },
  );
}

function grouped(rows: readonly StoredConnection[]): ReadonlyMap<string, readonly StoredConnection[]> {
  return Map.groupBy(rows, ({ integration }) => integration);
}

function changedIntegrations(before: readonly StoredConnection[], after: readonly StoredConnection[]): Set<string> {
  const describe = (rows: readonly StoredConnection[]): Map<string, string> =>
    new Map(rows.map((row) => [row.id, `${row.integration} ${JSON.stringify(row)}`]));
  const [old, present] = [describe(before), describe(after)];
  const changed = new Set<string>();
  for (const row of before) if (present.get(row.id) !== old.get(row.id)) changed.add(row.integration);
  for (const row of after) if (old.get(row.id) !== present.get(row.id)) changed.add(row.integration);
  return changed;
}
