import { segment, sendForJson } from '../http/json.ts';
import type { RequestOptions, Send } from '../http/send.ts';
import type { Page } from '../types/page.ts';
import type { Workspace, WorkspaceWithKey } from '../types/workspace.ts';

export interface Workspaces {
  /** Those that the key may see. */
  list(options?: RequestOptions): Promise<Page<Workspace>>;
  /** `key` is its first admin key, answered this once. */
  create(workspace: { readonly name: string }, options?: RequestOptions): Promise<WorkspaceWithKey>;
  get(id: string, options?: RequestOptions): Promise<Workspace & { readonly holds: Readonly<Record<string, number>> }>;
  rename(id: string, change: { readonly name: string }, options?: RequestOptions): Promise<Workspace>;
  /** Another admin key, for who has lost theirs. */
  createKey(id: string, key: { readonly name: string }, options?: RequestOptions): Promise<WorkspaceWithKey>;
  /** `everything`: also where it holds something. */
  remove(id: string, query?: { readonly everything?: boolean }, options?: RequestOptions): Promise<void>;
}

export function workspacesOf(send: Send): Workspaces {
  const at = (id: string): string => `/workspaces/${segment(id)}`;
  return {
    list: (options) => sendForJson(send, { method: 'GET', path: '/workspaces', options }),
    create: (workspace, options) => sendForJson(send, { method: 'POST', path: '/workspaces', body: workspace, options }),
    get: (id, options) => sendForJson(send, { method: 'GET', path: at(id), options }),
    rename: (id, change, options) => sendForJson(send, { method: 'PATCH', path: at(id), body: change, options }),
    createKey: (id, key, options) => sendForJson(send, { method: 'POST', path: `${at(id)}/keys`, body: key, options }),
    remove: (id, query, options) => sendForJson(send, { method: 'DELETE', path: at(id), query: { ...query }, options }),
  };
}
