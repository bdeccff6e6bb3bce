import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { idPattern } from '@code-executor/contracts';
import type { GatewayApp } from '../../gateway-app.ts';

/** The same for every approval: what it shows, its own script asks for with the key of whoever sits before it. */
const PAGE = readFileSync(new URL('./approval-page.html', import.meta.url), 'utf8');

/** Nothing but what is in the page runs there, it talks to this gateway alone, and nobody may frame it. */
const POLICY = [
  "default-src 'none'",
  `script-src ${sourceOf('script')}`,
  `style-src ${sourceOf('style')}`,
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const PATH = /^\/approvals\/(apr_[0-9a-z]{26})\/?(?:\?|$)/;

/**
 * `GET /approvals/:id` from a browser: a page without any data. The key is typed into it, is sent in the Authorization header of
 * its own requests, and is kept nowhere: no other site's page can make a browser decide.
 */
export function registerApprovalPage(app: GatewayApp): void {
  app.addHook('onRequest', async (request, reply) => {
    if (request.method !== 'GET' || request.headers.authorization !== undefined) return;
    const id = PATH.exec(request.url)?.[1];
    if (id === undefined || !idPattern('apr').test(id) || !wantsHtml(request.headers.accept)) return;
    return await reply
      .headers({
        'content-type': 'text/html; charset=utf-8',
        'content-security-policy': POLICY,
        'x-content-type-options': 'nosniff',
        'x-frame-options': 'DENY',
        'referrer-policy': 'no-referrer',
        'cross-origin-opener-policy': 'same-origin',
        'cache-control': 'no-store',
        vary: 'accept, authorization',
      })
      .send(PAGE);
  });
}

const wantsHtml = (accept: string | undefined): boolean => /(?:^|,)\s*text\/html\b/i.test(accept ?? '');

function sourceOf(element: 'script' | 'style'): string {
  const text = new RegExp(`<${element}>([\\s\\S]*?)</${element}>`).exec(PAGE)?.[1] ?? '';
  return `'sha256-${hash('sha256', text, 'base64')}'`;
}
