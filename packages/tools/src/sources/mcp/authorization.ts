import type { Connections, Credential, CredentialRequest } from '../../connections/port.ts';
import type { OutboundHttp } from '../../outbound/port.ts';
import { createScrub, type Scrub } from './secrets.ts';

/** With which credential one session of a remote MCP server speaks. It is asked for with every request, so that a renewed token counts at once. */
export interface Authorization {
  /** Null: with none. @throws AppError CONNECTION_BROKEN, CONNECTION_UNAVAILABLE; the signal's reason. */
  credential(signal: AbortSignal): Promise<Credential | null>;
  rejected(credential: Credential): void;
  /** Hides what every credential that was had so far has held. */
  readonly scrub: Scrub;
}

/** Secrets of tokens that were renewed long ago are worth nothing any more. */
const MOST_SECRETS = 32;

export function authorizationOf(connections: Connections, request: CredentialRequest): Authorization {
  const secrets = new Set<string>();
  let scrub: Scrub = (text) => text;
  return {
    async credential(signal) {
      const credential = await connections.credentialFor(request, signal);
      const fresh = credential?.secrets.filter((secret) => !secrets.has(secret)) ?? [];
      if (fresh.length > 0) {
        for (const secret of fresh) secrets.add(secret);
        for (const oldest of [...secrets].slice(0, Math.max(0, secrets.size - MOST_SECRETS))) secrets.delete(oldest);
        scrub = createScrub(secrets);
      }
      return credential;
    },
    rejected: (credential) => connections.rejected(credential),
    scrub: Object.assign((text: string) => scrub(text), { findsSplit: (texts: readonly string[]) => scrub.findsSplit?.(texts) === true }),
  };
}

/** A `fetch` that adds the credential to requests to `origin`. One that is refused with a 401 is sent again where there is a newer one: it was not acted upon. */
export function authorizedFetch(send: typeof fetch, origin: string, authorization: Authorization): typeof fetch {
  return async (input, init) => {
    const address = input instanceof Request ? input.url : String(input);
    if (new URL(address).origin !== origin) return await send(input, init);
    const signal = init?.signal ?? AbortSignal.timeout(FETCH_CREDENTIAL_MS);
    const credential = await authorization.credential(signal);
    const answer = await send(...withCredential(address, init, credential));
    if (answer.status !== 401 || credential === null) return answer;
    authorization.rejected(credential);
    const renewed = await authorization.credential(signal);
    if (renewed === null || JSON.stringify(renewed) === JSON.stringify(credential) || init?.body instanceof ReadableStream) return answer;
    await answer.body?.cancel();
    return await send(...withCredential(address, init, renewed));
  };
}

/** How long a request without a signal of its own waits for its credential. */
const FETCH_CREDENTIAL_MS = 60_000;

/** The guard of one integration, whose requests carry the credential: for probes. */
export function credentialedHttp(http: OutboundHttp, credential: Credential): OutboundHttp {
  return {
    request: (request) => {
      const [url, init] = withCredential(request.url, { headers: { ...request.headers } }, credential);
      return http.request({ ...request, url, headers: Object.fromEntries(new Headers(init.headers)) });
    },
    fetch: (input, init) => http.fetch(...withCredential(input instanceof Request ? input.url : String(input), init, credential)),
  };
}

function withCredential(address: string, init: RequestInit | undefined, credential: Credential | null): [string, RequestInit] {
  if (credential === null) return [address, init ?? {}];
  const url = new URL(address);
  for (const [name, value] of Object.entries(credential.query)) url.searchParams.set(name, value);
  const headers = new Headers(init?.headers);
  for (const [name, value] of Object.entries(credential.headers)) headers.set(name, value);
  const cookies = Object.entries(credential.cookies).map(([name, value]) => `${name}=${value}`);
  if (cookies.length > 0) headers.set('cookie', [headers.get('cookie'), ...cookies].filter(Boolean).join('; '));
  return [url.href, { ...init, headers }];
}
