import { join } from 'node:path';
import { DEFAULT_WORKSPACE_ID } from '@code-executor/contracts';
import type { SecretSettings } from '../connections/open-connections.ts';
import type { GuardedHttp } from '../outbound/port.ts';
import type { ToolDomainOptions } from '../tool-domain-options.ts';

/** What a workspace may use of the machine and of the operator's own. */
export interface WorkspaceRestrictions {
  readonly outbound: GuardedHttp;
  readonly secrets: SecretSettings;
  /** What references of connections may name. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Whether its servers may be commands that run on the operator's machine. */
  readonly mayRunCommands: boolean;
}

const NO_SECRETS: SecretSettings = { filesDirs: [], vault: null, cacheMs: 0 };

/**
 * The operator's machine, its network and its secrets are the home workspace's. An admin of another one is an admin there alone: it names
 * neither commands nor private addresses, and reads of secret files what lies in a directory that is called like its workspace.
 */
export function restrictionsOf(
  workspaceId: string,
  { secrets = NO_SECRETS, environment = process.env, workspaces }: Pick<ToolDomainOptions, 'secrets' | 'environment' | 'workspaces'>,
  outbound: GuardedHttp,
): WorkspaceRestrictions {
  if (workspaceId === DEFAULT_WORKSPACE_ID) return { outbound, secrets, environment, mayRunCommands: true };
  const isTrusted = workspaces?.areTrusted === true;
  return {
    outbound: isTrusted ? outbound : withoutSpelledOrigins(outbound),
    secrets: { ...secrets, filesDirs: secrets.filesDirs.map((dir) => join(dir, workspaceId)), vault: null },
    environment: {},
    mayRunCommands: isTrusted,
  };
}

/** An address that an admin spells out opens nothing, as in strict mode. What the operator lists stays open. */
function withoutSpelledOrigins(outbound: GuardedHttp): GuardedHttp {
  return {
    request: outbound.request,
    fetch: outbound.fetch,
    withOrigin: (url, spelledOutBy) => (spelledOutBy === 'admin' ? outbound : outbound.withOrigin(url, spelledOutBy)),
    warningOf: () => null,
    close: () => outbound.close(),
  };
}
