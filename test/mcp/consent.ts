import { ask, type Reply } from '../support/ask.ts';
import type { Service } from '../support/start-service.ts';

/** Where a test client claims to listen; nothing does: the test reads the address that it would be sent to. */
export const REDIRECT = 'http://127.0.0.1:7777/callback';

type Reached = Pick<Service, 'url' | 'key'>;

export const postForm = (
  service: Reached,
  path: string,
  fields: Record<string, string>,
  headers: Record<string, string> = {},
): Promise<Reply> =>
  ask(service, 'POST', path, {
    key: null,
    raw: new URLSearchParams(fields).toString(),
    headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
  });

export const hiddenFields = (html: string): Record<string, string> =>
  Object.fromEntries(
    [...html.matchAll(/type="hidden" name="([^"]+)" value="([^"]*)"/g)].map(([, name = '', value = '']) => [
      name,
      value.replaceAll('&amp;', '&'),
    ]),
  );

export const cookieOf = (page: Reply): string => String(page.headers['set-cookie']).split(';', 1)[0] ?? '';

/** The consent page as a browser shows it, with its cookie. */
export async function openConsent(service: Reached, url: URL) {
  const page = await ask(service, 'GET', `${url.pathname}${url.search}`, { key: null });
  const cookie = cookieOf(page);
  const answer = (fields: Record<string, string>, headers: Record<string, string> = { cookie }) =>
    postForm(service, '/oauth/authorize', { ...hiddenFields(page.text), ...fields }, headers);
  return { page, answer };
}

/** What an MCP client library keeps of one login, and the address to which it sends the human. */
export function newLogin<Provider>(name: string) {
  const kept: { client?: unknown; tokens?: unknown; verifier?: string; url?: URL } = {};
  const authProvider = {
    redirectUrl: REDIRECT,
    clientMetadata: { client_name: name, redirect_uris: [REDIRECT] },
    state: () => 'a state',
    storedState: () => 'a state',
    clientInformation: () => kept.client,
    saveClientInformation: (client: unknown) => Object.assign(kept, { client }),
    tokens: () => kept.tokens,
    saveTokens: (tokens: unknown) => Object.assign(kept, { tokens }),
    codeVerifier: () => kept.verifier ?? '',
    saveCodeVerifier: (verifier: string) => Object.assign(kept, { verifier }),
    redirectToAuthorization: (url: URL) => Object.assign(kept, { url }),
  } as unknown as Provider;
  return { kept, authProvider };
}
