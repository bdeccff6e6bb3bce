import { canonicalJson } from '../calls/canonical-json.ts';
import type { Catalog } from '../catalog/catalog.ts';
import { createTurn } from '../in-turn.ts';
import type { NewIntegration } from '../port.ts';
import type { ServerLog } from '../sources/mcp/mcp-server.ts';
import type { Servers } from '../sources/servers.ts';
import type { ManagedServer } from '../sources/source.ts';
import type { IntegrationStore } from './integration-store.ts';

/** The servers of the integrations that were added through the API, by this process or by another one. */
export interface StoredServers {
  /** At the start: makes a server of each, and starts none. */
  load(): Promise<void>;
  /** Makes the servers those of the database again, and starts new ones. Answers whether there was anything to do. */
  reload(): Promise<boolean>;
  /** Writes it down, then makes a server of it, which is not started. @throws AppError INTEGRATION_EXISTS where another process was first. */
  add(integration: NewIntegration): Promise<ManagedServer | null>;
  /** Its tools are the caller's affair. */
  remove(slug: string): Promise<void>;
}

export function createStoredServers(deps: {
  readonly integrations: IntegrationStore;
  readonly servers: Servers;
  readonly catalog: Catalog;
  /** Null: it is switched off. */
  manage(integration: NewIntegration): ManagedServer | null;
  readonly log: ServerLog;
}): StoredServers {
  const { integrations, servers, catalog, log } = deps;
  /** As this process knows them to be stored, by slug. */
  let known = new Map<string, string>();
  const inTurn = createTurn();

  function addStored(integration: NewIntegration): void {
    if (servers.all().has(integration.slug))
      log.warn({ server: integration.slug }, 'The servers file defines an integration that was added through the API; the file counts');
    else manage(integration);
  }

  function manage(integration: NewIntegration): ManagedServer | null {
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
      for (const integration of found) addStored(integration);
      known = described(found);
    },
    reload: () => inTurn(reload),
    add: (integration) =>
      inTurn(async () => {
        await integrations.save(integration);
        known.set(integration.slug, describe(integration));
        return manage(integration);
      }),
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
    let hasChanged = false;
    for (const [slug, description] of before) {
      if (known.get(slug) !== description) hasChanged = (await drop(slug)) || hasChanged;
    }
    for (const integration of found) {
      if (servers.all().has(integration.slug)) continue;
      const source = manage(integration)?.source;
      if (source?.lazy === false) source.start();
      log.info({ server: integration.slug }, 'An integration that another process has added was taken over');
      hasChanged = true;
    }
    return hasChanged;
  }
}

const described = (integrations: readonly NewIntegration[]): Map<string, string> =>
  new Map(integrations.map((integration) => [integration.slug, describe(integration)]));

/** The same text for what was given and for what is read back. */
const describe = (integration: NewIntegration): string => canonicalJson(JSON.parse(JSON.stringify(integration)));
