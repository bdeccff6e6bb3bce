import { z } from 'zod';

/** What a key may be narrowed to, besides `servers:<slug>`. A key without scopes may do all that its role may. */
export const SCOPES = {
  execute: 'run programs, cancel them, call tools, keep sessions',
  'executions:read': 'read executions, their events, artifacts and sessions',
  'executions:write': 'delete old executions',
  'tools:read': 'list, search and read tools and skills',
  'skills:write': 'save and remove skills',
  'integrations:read': 'read integrations, connections and providers',
  'integrations:write': 'add, change and remove integrations and connections',
  'policies:read': 'read and preview policies',
  'policies:write': 'add, change and remove policies',
  'approvals:read': 'read approvals',
  'approvals:decide': 'decide on approvals',
  'audit:read': 'read and export the record',
  'keys:read': 'list keys',
  'keys:write': 'make and revoke keys',
  'workspaces:read': 'list and read workspaces',
  'workspaces:write': 'make, rename and remove workspaces, and make their admin keys',
  'metrics:read': 'read the metrics',
} as const;
export type ActScope = keyof typeof SCOPES;

const SERVER_SCOPE = /^servers:[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;

const isScope = (text: string): boolean => Object.hasOwn(SCOPES, text) || SERVER_SCOPE.test(text);

export const scopesSchema = z
  .array(z.string().refine(isScope, `must be one of ${Object.keys(SCOPES).join(', ')}, or servers:<slug>`))
  .min(1)
  .max(64)
  .describe(
    `Any of ${Object.keys(SCOPES).join(', ')}, and servers:<slug> for each server that it may use. They narrow the role and never widen it.`,
  );

/** What has the right to write has the right to read. */
const IMPLIED: Readonly<Record<string, ActScope>> = {
  'executions:write': 'executions:read',
  'integrations:write': 'integrations:read',
  'policies:write': 'policies:read',
  'approvals:decide': 'approvals:read',
  'keys:write': 'keys:read',
  'skills:write': 'tools:read',
  'workspaces:write': 'workspaces:read',
};

type Scopes = readonly string[] | null | undefined;

/** Whether scopes let an act through. Those that name servers only narrow the servers, and no act. */
export function allowsAct(scopes: Scopes, act: ActScope): boolean {
  const acts = scopes?.filter((scope) => !scope.startsWith('servers:')) ?? [];
  return acts.length === 0 || acts.some((scope) => scope === act || IMPLIED[scope] === act);
}

/** The servers that scopes narrow to; null: every one. */
export function serversOf(scopes: Scopes): readonly string[] | null {
  const servers = scopes?.filter((scope) => scope.startsWith('servers:')).map((scope) => scope.slice('servers:'.length)) ?? [];
  return servers.length === 0 ? null : servers;
}

export const allowsServer = (scopes: Scopes, server: string): boolean => serversOf(scopes)?.includes(server) ?? true;

/** Whether `inner` lets nothing through that `outer` does not. */
export function isWithin(inner: Scopes, outer: Scopes): boolean {
  const servers = serversOf(outer);
  const ownServers = serversOf(inner);
  const acts = (Object.keys(SCOPES) as ActScope[]).every((act) => !allowsAct(inner, act) || allowsAct(outer, act));
  return acts && (servers === null || (ownServers?.every((server) => servers.includes(server)) ?? false));
}
