import { segment, sendForJson } from '../http/json.ts';
import type { RequestOptions, Send } from '../http/send.ts';
import type { Integration, Key, NewIntegration, NewKey, NewPolicy, Policy, RefreshedIntegration } from '../types/administration.ts';
import type { Page } from '../types/page.ts';

export interface Administration {
  readonly integrations: Integrations;
  readonly policies: Policies;
  readonly keys: Keys;
}

export interface Integrations {
  list(options?: RequestOptions): Promise<Page<Integration>>;
  get(slug: string, options?: RequestOptions): Promise<Integration>;
  add(integration: NewIntegration, options?: RequestOptions): Promise<Integration>;
  remove(slug: string, options?: RequestOptions): Promise<void>;
  /** Lists its tools again. */
  refresh(slug: string, options?: RequestOptions): Promise<RefreshedIntegration>;
}

export interface Policies {
  list(options?: RequestOptions): Promise<Page<Policy>>;
  add(policy: NewPolicy, options?: RequestOptions): Promise<Policy>;
  remove(id: string, options?: RequestOptions): Promise<void>;
}

export interface Keys {
  list(options?: RequestOptions): Promise<Page<Key>>;
  /** `key` is the secret, answered this once. */
  create(key: NewKey, options?: RequestOptions): Promise<Key & { readonly key: string }>;
  revoke(id: string, options?: RequestOptions): Promise<Key>;
}

export function administrationOf(send: Send): Administration {
  return { integrations: integrationsOf(send), policies: policiesOf(send), keys: keysOf(send) };
}

function integrationsOf(send: Send): Integrations {
  const pathOf = (slug: string): string => `/integrations/${segment(slug)}`;
  return {
    list: (options) => sendForJson(send, { method: 'GET', path: '/integrations', options }),
    get: (slug, options) => sendForJson(send, { method: 'GET', path: pathOf(slug), options }),
    add: (integration, options) => sendForJson(send, { method: 'POST', path: '/integrations', body: integration, options }),
    remove: (slug, options) => sendForJson(send, { method: 'DELETE', path: pathOf(slug), options }),
    refresh: (slug, options) => sendForJson(send, { method: 'POST', path: `${pathOf(slug)}/refresh`, body: {}, options }),
  };
}

function policiesOf(send: Send): Policies {
  return {
    list: (options) => sendForJson(send, { method: 'GET', path: '/policies', options }),
    add: (policy, options) => sendForJson(send, { method: 'POST', path: '/policies', body: policy, options }),
    remove: (id, options) => sendForJson(send, { method: 'DELETE', path: `/policies/${segment(id)}`, options }),
  };
}

function keysOf(send: Send): Keys {
  return {
    list: (options) => sendForJson(send, { method: 'GET', path: '/keys', options }),
    create: (key, options) => sendForJson(send, { method: 'POST', path: '/keys', body: key, options }),
    revoke: (id, options) => sendForJson(send, { method: 'DELETE', path: `/keys/${segment(id)}`, options }),
  };
}
