import { segment, sendForJson } from '../http/json.ts';
import type { RequestOptions, Send } from '../http/send.ts';
import type { Key, NewKey } from '../types/administration.ts';
import type { Page } from '../types/page.ts';

export interface Keys {
  list(options?: RequestOptions): Promise<Page<Key>>;
  /** `key` is the secret, answered this once. */
  create(key: NewKey, options?: RequestOptions): Promise<Key & { readonly key: string }>;
  revoke(id: string, options?: RequestOptions): Promise<Key>;
}

export function keysOf(send: Send): Keys {
  return {
    list: (options) => sendForJson(send, { method: 'GET', path: '/keys', options }),
    create: (key, options) => sendForJson(send, { method: 'POST', path: '/keys', body: key, options }),
    revoke: (id, options) => sendForJson(send, { method: 'DELETE', path: `/keys/${segment(id)}`, options }),
  };
}
