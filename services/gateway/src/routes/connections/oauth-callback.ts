import { hash } from 'node:crypto';
import { isAppError } from '@code-executor/platform';
import { z } from 'zod';
import type { GatewayApp, RouteDeps } from '../../gateway-app.ts';
import { errorResponses } from '../../validation/route-responses.ts';

/** Where authorization servers send browsers back to; part of what clients are registered with there. */
export const CALLBACK_PATH = '/oauth/callback';

const STYLE = 'body{font:16px/1.5 system-ui,sans-serif;margin:15vh auto;max-width:34rem;padding:0 1rem}h1{font-size:1.3rem}';
/** Nothing may be loaded, framed or run: the page shows text that others wrote. */
const CSP = `default-src 'none'; style-src 'sha256-${hash('sha256', STYLE, 'base64')}'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'`;

/** The end of a consent page, for the person in front of it. Public: the state in its address is what lets it in, once. */
export function registerOauthCallback(app: GatewayApp, { tools }: RouteDeps): void {
  app.get(
    CALLBACK_PATH,
    {
      config: { access: 'public', audit: { type: 'connection.authorize' } },
      schema: {
        summary: 'Where an authorization server sends the browser back to',
        security: [],
        querystring: z.record(z.string().max(64), z.union([z.string().max(8_192), z.array(z.string().max(8_192)).max(8)])),
        response: {
          ...errorResponses([], 'public'),
          200: z.string().describe('a page that says what came of it'),
          400: z.string().describe('INVALID_REQUEST: a page that says why nothing came of it'),
        },
      },
    },
    async (request, reply) => {
      const end = await finish(request.query);
      return reply
        .code(end.outcome === 'done' ? 200 : 400)
        .type('text/html; charset=utf-8')
        .headers({ 'content-security-policy': CSP, 'referrer-policy': 'no-referrer', 'x-frame-options': 'DENY' })
        .send(page(end));
    },
  );

  async function finish(query: Readonly<Record<string, string | string[]>>) {
    const parameters: Record<string, string> = {};
    for (const [name, value] of Object.entries(query)) {
      // RFC 6749: parameters come once; two of one name are somebody's trick.
      if (typeof value !== 'string')
        return { outcome: 'failed' as const, message: 'This address is not one that this service has asked for.' };
      parameters[name] = value;
    }
    try {
      return await tools.finishAuthorization(parameters);
    } catch (error) {
      if (!isAppError(error, 'TOOLS_UNAVAILABLE')) throw error;
      return { outcome: 'failed' as const, message: 'The service that keeps connections does not answer. Begin the authorization again.' };
    }
  }
}

function page({ outcome, message }: { readonly outcome: 'done' | 'failed'; readonly message: string }): string {
  const title = outcome === 'done' ? 'Authorized' : 'Not authorized';
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${title}</title><style>${STYLE}</style></head><body><h1>${title}</h1><p>${escaped(message)}</p></body></html>`;
}

const escaped = (text: string): string => text.replace(/[&<>"'`]/g, (character) => `&#${character.charCodeAt(0)};`);
