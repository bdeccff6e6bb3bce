import type { ServerLog } from './mcp/mcp-server.ts';
import type { ManagedServer } from './source.ts';

/** All configured integrations of a workspace, in the order they were configured. */
export interface Servers {
  all(): ReadonlyMap<string, ManagedServer>;
  /** Takes the place of one of the same slug, which is the caller's to stop. */
  add(managed: ManagedServer): ManagedServer;
  /** Stops it. Its tools are the caller's affair. */
  remove(slug: string): Promise<void>;
  close(): Promise<void>;
}

export function createServers(log: ServerLog): Servers {
  const servers = new Map<string, ManagedServer>();
  return {
    all: () => servers,
    add(managed) {
      const { slug: server, kind } = managed;
      if (managed.source === null) log.warn({ server, kind, reason: managed.state().reason }, 'An integration is broken');
      for (const warning of managed.warnings()) log.warn({ server, kind, warning }, 'Definition of an integration');
      servers.set(server, managed);
      return managed;
    },
    async remove(slug) {
      const managed = servers.get(slug);
      servers.delete(slug);
      await managed?.source?.stop();
    },
    async close() {
      await Promise.all([...servers.values()].map((managed) => managed.source?.stop()));
    },
  };
}
