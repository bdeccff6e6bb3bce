import { hash } from 'node:crypto';
import { type IdPrefix, idPattern } from '@code-executor/contracts';
import type { GatewayApp } from '../gateway-app.ts';

export interface ServedPage {
  readonly html: string;
  /** The path before the id. */
  readonly under: string;
  readonly prefix: IdPrefix;
}

/**
 * `GET UNDER/:id` from a browser: a page without any data, the same for every id. The key is typed into it, is sent in the
 * Authorization header of its own requests, and is kept nowhere: no other site's page can make a browser act.
 */
export function servePage(app: GatewayApp, { html, under, prefix }: ServedPage): void {
  const pattern = idPattern(prefix);
  const headers = {
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': policyOf(html),
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    'referrer-policy': 'no-referrer',
    'cross-origin-opener-policy': 'same-origin',
    'cache-control': 'no-store',
    vary: 'accept, authorization',
  };
  app.addHook('onRequest', async (request, reply) => {
    if (request.method !== 'GET' || request.headers.authorization !== undefined || !request.url.startsWith(`${under}/`)) return;
    const id = /^([^/?]*)\/?(?:\?|$)/.exec(request.url.slice(under.length + 1))?.[1] ?? '';
    if (!pattern.test(id) || !wantsHtml(request.headers.accept)) return;
    return await reply.headers(headers).send(html);
  });
}

/** Nothing but what is in the page runs there, it talks to this gateway alone, and nobody may frame it. */
const policyOf = (html: string): string =>
  [
    "default-src 'none'",
    `script-src ${sourceOf('script', html)}`,
    `style-src ${sourceOf('style', html)}`,
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');

const wantsHtml = (accept: string | undefined): boolean => /(?:^|,)\s*text\/html\b/i.test(accept ?? '');

function sourceOf(element: 'script' | 'style', html: string): string {
  const text = new RegExp(`<${element}>([\\s\\S]*?)</${element}>`).exec(html)?.[1] ?? '';
  return `'sha256-${hash('sha256', text, 'base64')}'`;
}
