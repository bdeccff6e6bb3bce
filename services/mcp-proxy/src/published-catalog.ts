import { hash } from 'node:crypto';
import { DEFAULT_WORKSPACE_ID, type ToolDefinition } from '@code-executor/contracts';
import type { ToolDomainOptions } from '@code-executor/tools';

export interface CatalogVersion {
  readonly version: string;
  /** `{version, tools}` as it goes to workers. */
  readonly json: string;
}

/**
 * The visible tools under a version of their content, so that every proxy gives the same tools the same version. It takes
 * the place of the wrapper store: wrappers are written where sandboxes are.
 */
export interface PublishedCatalog {
  readonly store: ToolDomainOptions['wrapperStore'];
  /** Of the home workspace. */
  version(): string;
  /** The workspace's catalog of this version where it is still kept, or else its present one; null: the workspace is not open here. */
  find(workspaceId: string, version: string | undefined): CatalogVersion | null;
}

/** Versions that workers may still ask for: those of executions that were claimed a moment ago. */
const KEPT_VERSIONS = 4;

export function createPublishedCatalog(): PublishedCatalog {
  const workspaces = new Map([[DEFAULT_WORKSPACE_ID, catalogOf(DEFAULT_WORKSPACE_ID)]]);
  return {
    store: {
      async snapshot(tools, workspaceId) {
        const catalog = workspaces.get(workspaceId) ?? catalogOf(workspaceId);
        workspaces.set(workspaceId, catalog);
        const version = catalog.take(tools);
        return { id: version, dir: version };
      },
      letGo: (workspaceId) => void (workspaceId === DEFAULT_WORKSPACE_ID || workspaces.delete(workspaceId)),
    },
    version: () => workspaces.get(DEFAULT_WORKSPACE_ID)?.current().version ?? '',
    find: (workspaceId, version) => workspaces.get(workspaceId)?.find(version ?? '') ?? null,
  };
}

function catalogOf(workspaceId: string) {
  const kept = new Map<string, CatalogVersion>();
  let current = describe([], workspaceId);
  return {
    current: () => current,
    find: (version: string): CatalogVersion => kept.get(version) ?? current,
    take(tools: readonly ToolDefinition[]): string {
      current = describe(tools, workspaceId);
      kept.delete(current.version);
      kept.set(current.version, current);
      const [oldest] = kept.keys();
      if (kept.size > KEPT_VERSIONS && oldest !== undefined) kept.delete(oldest);
      return current.version;
    },
  };
}

/** Two workspaces with the same tools have different versions: what was made for one is never used for the other. */
function describe(tools: readonly ToolDefinition[], workspaceId: string): CatalogVersion {
  const list = JSON.stringify(tools);
  const version = hash('sha256', `${workspaceId} ${list}`).slice(0, 32);
  return { version, json: `{"version":"${version}","tools":${list}}` };
}
