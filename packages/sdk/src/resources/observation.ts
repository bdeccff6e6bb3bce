import { sendForJson } from '../http/json.ts';
import type { RequestOptions, Send } from '../http/send.ts';
import type { Health, Identity, Readiness } from '../types/administration.ts';

export interface Observation {
  /** Needs no key. */
  health(options?: RequestOptions): Promise<Health>;
  /** Whether to send it work; needs no key. */
  ready(options?: RequestOptions): Promise<Readiness>;
  /** Who the key is. */
  whoami(options?: RequestOptions): Promise<Identity>;
  /** What Prometheus reads. */
  metrics(options?: RequestOptions): Promise<string>;
  /** The description of this API. */
  openapi(options?: RequestOptions): Promise<unknown>;
}

export function observationOf(send: Send): Observation {
  return {
    health: (options) => sendForJson(send, { method: 'GET', path: '/health', options }),
    ready: (options) => sendForJson(send, { method: 'GET', path: '/health/ready', options, alsoGood: [503] }),
    whoami: (options) => sendForJson(send, { method: 'GET', path: '/whoami', options }),
    async metrics(options) {
      return await (await send({ method: 'GET', path: '/metrics', headers: { accept: 'text/plain' }, options })).text();
    },
    openapi: (options) => sendForJson(send, { method: 'GET', path: '/openapi.json', options }),
  };
}
