import { DEFAULT_WORKSPACE_ID, type ToolDefinition } from '@code-executor/contracts';
import { type Logger, messageOf } from '@code-executor/platform';
import { type Catalog, type CatalogSnapshots, createCatalogSnapshots } from './catalog-snapshots.ts';

export interface WorkspaceSnapshotsOptions {
  readonly fetchCatalog: (version: string, signal: AbortSignal, workspaceId: string) => Promise<Catalog>;
  readonly writeSnapshot: (tools: readonly ToolDefinition[], workspaceId: string) => Promise<{ readonly dir: string }>;
  /** The home workspace's newest: warm sandboxes are to see it. */
  readonly onNewest: (dir: string) => void;
  /** The wrappers of this workspace are not used any more. Must not throw. */
  readonly letGo: (workspaceId: string) => void;
  readonly log: Logger;
  /** Workspaces beside the home one whose wrappers are at hand. */
  readonly maximum?: number | undefined;
}

/** The wrappers of every workspace that this worker runs programs of. The home one's are kept at the fleet's version, another's come with a claim. */
export interface WorkspaceSnapshots extends Pick<CatalogSnapshots, 'follow' | 'first' | 'dirs' | 'close'> {
  /** Fetches what is not here yet. Throws the signal's reason, or what fetching threw. */
  dir(version: string, signal: AbortSignal, workspaceId?: string): Promise<string>;
  /** Whether a workspace beside the home one was last given these. */
  isNewestOfAnother(dir: string): boolean;
}

const MAXIMUM = 50;

export function createWorkspaceSnapshots(options: WorkspaceSnapshotsOptions): WorkspaceSnapshots {
  const { log, maximum = MAXIMUM } = options;
  const home = snapshotsOf(DEFAULT_WORKSPACE_ID, options.onNewest);
  /** Least recently used first. */
  const others = new Map<string, CatalogSnapshots>();
  /** What each of them was last given. */
  const newest = new Map<string, string>();

  return {
    async dir(version, signal, workspaceId = DEFAULT_WORKSPACE_ID) {
      if (workspaceId === DEFAULT_WORKSPACE_ID) return await home.dir(version, signal);
      const dir = await otherOf(workspaceId).dir(version, signal);
      newest.set(workspaceId, dir);
      return dir;
    },
    isNewestOfAnother: (dir) => [...newest.values()].includes(dir),
    follow: home.follow,
    first: home.first,
    *dirs() {
      yield* home.dirs();
      for (const other of others.values()) yield* other.dirs();
    },
    async close() {
      await Promise.all([home, ...others.values()].map((snapshots) => snapshots.close()));
    },
  };

  function otherOf(workspaceId: string): CatalogSnapshots {
    const snapshots = others.get(workspaceId) ?? snapshotsOf(workspaceId, () => undefined);
    others.delete(workspaceId);
    others.set(workspaceId, snapshots);
    for (const [oldest, unused] of others) {
      if (others.size <= maximum) break;
      others.delete(oldest);
      newest.delete(oldest);
      unused
        .close()
        .then(() => options.letGo(oldest))
        .catch((error: unknown) =>
          log.warn({ workspaceId: oldest, reason: messageOf(error) }, 'The wrappers of a workspace were not let go in order'),
        );
    }
    return snapshots;
  }

  function snapshotsOf(workspaceId: string, onNewest: (dir: string) => void): CatalogSnapshots {
    return createCatalogSnapshots({
      fetchCatalog: (version, signal) => options.fetchCatalog(version, signal, workspaceId),
      writeSnapshot: (tools) => options.writeSnapshot(tools, workspaceId),
      onNewest,
      log,
    });
  }
}
