import { canonicalJson } from '../calls/canonical-json.ts';
import type { Catalog } from '../catalog/catalog.ts';
import { createTurn } from '../in-turn.ts';
import type { ServerLog } from '../sources/mcp/mcp-server.ts';
import type { Servers } from '../sources/servers.ts';
import type { ManagedServer } from '../sources/source.ts';
import type { IntegrationStore, StoredIntegration } from './integration-store.ts';

/** The servers of the integrations that were added through the API, by this process or by another one. */
export interface StoredServers {
  /** At the start: makes a server of each, and starts none. */
  load(): Promise<void>;
  /** Makes the servers those of the database again, and starts new ones. Answers whether there was anything to do. */
  reload(): Promise<boolean>;
  /** Writes it down, and makes no server of it yet. @throws AppError INTEGRATION_EXISTS where another process was first. */
  save(integration: StoredIntegration): Promise<void>;
  /** Writes down how it stands now; other processes make its server anew. @throws AppError SERVER_NOT_FOUND */
  update(integration: StoredIntegration): Promise<void>;
  /** Makes a server of it, which is not started. Null: it is switched off. */
  manage(integration: StoredIntegration): ManagedServer | null;
  /** Its tools are the caller's affair. */
  remove(slug: string): Promise<void>;
}

export function createStoredServers(deps: {
  readonly integrations: IntegrationStore;
  readonly servers: Servers;
  readonly catalog: Catalog;
  /** Null: it is switched off. */
  manage(integration: StoredIntegration): ManagedServer | null;
  readonly log: ServerLog;
}): StoredServers {
  const { integrations, servers, catalog, log } = deps;
  /** As this process knows them to be stored, by slug. */
  let known = new Map<string, string>();
  const inTurn = createTurn();

  function manage(integration: StoredIntegration): ManagedServer | null {
    const managed = deps.manage(integration);
    return managed === null ? null : servers.add(managed);
  }

  async function drop(slug: string): Promise<boolean> {
    if (servers.all().get(slug)?.origin !== 'api') return false;
    await servers.remove(slug);
    await catalog.remove(slug, { forget: false });
    return true;
  }

  return {
    async load() {
      const found = await integrations.load();
      for (const integration of found) {
        const { slug: server } = integration.definition;
        if (servers.all().has(server))
          log.warn({ server }, 'The servers file defines an integration that was added through the API; the file counts');
        else manage(integration);
      }
      known = described(found);
    },
    reload: () => inTurn(reload),
    save: (integration) =>
      inTurn(async () => {
        await integrations.save(integration);
        known.set(integration.definition.slug, describe(integration));
      }),
    update: (integration) =>
      inTurn(async () => {
        await integrations.update(integration);
        known.set(integration.definition.slug, describe(integration));
      }),
    manage,
    remove: (slug) =>
      inTurn(async () => {
        await integrations.remove(slug);
        known.delete(slug);
        await servers.remove(slug);
      }),
  };

  async function reload(): Promise<boolean> {
    const found = await integrations.load();
    const before = known;
    known = described(found);
    const stored = new Map(found.map((integration) => [integration.definition.slug, integration]));
    let hasChanged = false;
    for (const [slug, description] of before) {
      const now = stored.get(slug);
      if (known.get(slug) === description) continue;
      // Its tools are those of the catalog, which is read again, too: nothing has to list them.
      if (now !== undefined && now.definition.kind !== 'mcp' && servers.all().get(slug)?.kind === now.definition.kind) {
        const last = servers.all().get(slug);
        manage(now);
        await last?.source?.stop();
        hasChanged = true;
      } else hasChanged = (await drop(slug)) || hasChanged;
    }
    for (const integration of found) {
      const { slug: server } = integration.definition;
      if (servers.all().has(server)) continue;
      const source = manage(integration)?.source;
      if (source?.lazy === false) source.start();
      log.info({ server }, 'An integration that another process has added was taken over');
      hasChanged = true;
    }
    return hasChanged;
  }
}

const described = (integrations: readonly StoredIntegration[]): Map<string, string> =>
  new Map(integrations.map((integration) => [integration.definition.slug, describe(integration)]));

/** The same text for what was given and for what is read back. */
const describe = (integration: StoredIntegration): string => canonicalJson(JSON.parse(JSON.stringify(integration)));
