import { each, type PageQuery } from '../http/each.ts';
import { segment, sendForJson } from '../http/json.ts';
import type { RequestOptions, Send } from '../http/send.ts';
import type { Connection, ConnectionChange, ConnectionCheck, NewConnection, Provider } from '../types/connection.ts';
import type { Page } from '../types/page.ts';

export interface ConnectionQuery extends PageQuery {
  readonly integration?: string;
}

/** Credentials: they go in and never come out. */
export interface Connections {
  list(query?: ConnectionQuery, options?: RequestOptions): Promise<Page<Connection>>;
  each(query?: ConnectionQuery, options?: RequestOptions): AsyncGenerator<Connection>;
  get(id: string, options?: RequestOptions): Promise<Connection>;
  add(connection: NewConnection, options?: RequestOptions): Promise<Connection>;
  change(id: string, change: ConnectionChange, options?: RequestOptions): Promise<Connection>;
  remove(id: string, options?: RequestOptions): Promise<void>;
  /** Tries it with a request that changes nothing. */
  validate(id: string, options?: RequestOptions): Promise<ConnectionCheck>;
  /** The address of the provider's consent page, for a person's browser. */
  authorize(id: string, options?: RequestOptions): Promise<{ readonly url: string; readonly expiresAt: string }>;
}

export interface Providers {
  /** Where secret values may lie. */
  list(options?: RequestOptions): Promise<Page<Provider>>;
  /** Seals every secret anew under the newest key. */
  rotate(
    change?: { readonly newKey?: boolean },
    options?: RequestOptions,
  ): Promise<{ readonly keyId: string; readonly keys: number; readonly resealed: number; readonly total: number }>;
}

export function connectionsOf(send: Send): Connections {
  const pathOf = (id: string): string => `/connections/${segment(id)}`;
  const list: Connections['list'] = (query, options) =>
    sendForJson(send, { method: 'GET', path: '/connections', query: { ...query }, options });
  return {
    list,
    each: (query, options) => each(list, query, options),
    get: (id, options) => sendForJson(send, { method: 'GET', path: pathOf(id), options }),
    add: (connection, options) => sendForJson(send, { method: 'POST', path: '/connections', body: connection, options }),
    change: (id, change, options) => sendForJson(send, { method: 'PATCH', path: pathOf(id), body: change, options }),
    remove: (id, options) => sendForJson(send, { method: 'DELETE', path: pathOf(id), options }),
    validate: (id, options) => sendForJson(send, { method: 'POST', path: `${pathOf(id)}/validate`, body: {}, options }),
    authorize: (id, options) => sendForJson(send, { method: 'POST', path: `${pathOf(id)}/oauth/start`, body: {}, options }),
  };
}

export function providersOf(send: Send): Providers {
  return {
    list: (options) => sendForJson(send, { method: 'GET', path: '/providers', options }),
    rotate: (change = {}, options) => sendForJson(send, { method: 'POST', path: '/providers/sealed/rotate', body: change, options }),
  };
}
