import { segment, sendForJson } from '../http/json.ts';
import type { RequestOptions, Send } from '../http/send.ts';
import type { DetectedIntegration, Integration, IntegrationChange, NewIntegration, RefreshedIntegration } from '../types/integration.ts';
import type { Page } from '../types/page.ts';

/** A large document takes a while to be read. */
const READING_TIMEOUT_MS = 300_000;

export interface Integrations {
  list(options?: RequestOptions): Promise<Page<Integration>>;
  get(slug: string, options?: RequestOptions): Promise<Integration>;
  /** What kind of API lies at an address. */
  detect(url: string, options?: RequestOptions): Promise<DetectedIntegration>;
  add(integration: NewIntegration, options?: RequestOptions): Promise<Integration>;
  remove(slug: string, options?: RequestOptions): Promise<void>;
  /** Lists its tools again, or reads its document anew. */
  refresh(slug: string, change?: IntegrationChange, options?: RequestOptions): Promise<RefreshedIntegration>;
}

export function integrationsOf(send: Send): Integrations {
  const pathOf = (slug: string): string => `/integrations/${segment(slug)}`;
  const patient = (options: RequestOptions | undefined): RequestOptions => ({ timeoutMs: READING_TIMEOUT_MS, ...options });
  return {
    list: (options) => sendForJson(send, { method: 'GET', path: '/integrations', options }),
    get: (slug, options) => sendForJson(send, { method: 'GET', path: pathOf(slug), options }),
    detect: (url, options) =>
      // It changes nothing.
      sendForJson(send, { method: 'POST', path: '/integrations/detect', body: { url }, options: patient(options), repeatable: true }),
    add: (integration, options) =>
      sendForJson(send, { method: 'POST', path: '/integrations', body: integration, options: patient(options) }),
    remove: (slug, options) => sendForJson(send, { method: 'DELETE', path: pathOf(slug), options }),
    refresh: (slug, change = {}, options) =>
      sendForJson(send, { method: 'POST', path: `${pathOf(slug)}/refresh`, body: change, options: patient(options) }),
  };
}
