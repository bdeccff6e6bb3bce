import { hash } from 'node:crypto';
import type { ToolDefinition } from '@code-executor/contracts';
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
  version(): string;
  /** The catalog of this version where it is still kept, or else the present one. */
  find(version: string | undefined): CatalogVersion;
}

/** Versions that workers may still ask for: those of executions that were claimed a moment ago. */
const KEPT_VERSIONS = 4;

export function createPublishedCatalog(): PublishedCatalog {
  const kept = new Map<string, CatalogVersion>();
  let current = describe([]);
  return {
    store: {
      async snapshot(tools) {
        current = describe(tools);
        kept.delete(current.version);
        kept.set(current.version, current);
        const [oldest] = kept.keys();
        if (kept.size > KEPT_VERSIONS && oldest !== undefined) kept.delete(oldest);
        return { id: current.version, dir: current.version };
      },
    },
    version: () => current.version,
    find: (version) => kept.get(version ?? '') ?? current,
  };
}

function describe(tools: readonly ToolDefinition[]): CatalogVersion {
  const list = JSON.stringify(tools);
  const version = hash('sha256', list).slice(0, 32);
  return { version, json: `{"version":"${version}","tools":${list}}` };
}
