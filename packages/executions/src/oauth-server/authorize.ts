import type { Role } from '@code-executor/contracts';
import type { OAuthClient } from './clients.ts';
import type { AuthorizationAnswer, AuthorizationQuery, OAuthOrigin } from './port.ts';
import { isRegistered } from './redirect-uris.ts';
import { OAuthRefusal } from './refusal.ts';
import { roleOfScope } from './scopes.ts';

const STATE_LIMIT = 2_000;

/** Judges what came to the authorization endpoint. Only an address that the client registered is ever redirected to. */
export function judgeAuthorization(query: AuthorizationQuery, client: OAuthClient | null, origin: OAuthOrigin): AuthorizationAnswer {
  if (client === null)
    return { kind: 'page', message: 'The application that sent you here is not known to this service. Connect it anew.' };
  const redirectUri = query.redirect_uri ?? (client.redirectUris.length === 1 ? client.redirectUris[0] : undefined);
  if (redirectUri === undefined || !isRegistered(redirectUri, client.redirectUris)) {
    return { kind: 'page', message: 'The application asks to send you to an address that it has not registered. Nothing was granted.' };
  }
  const state = query.state ?? null;
  const redirect = (code: string, message: string): AuthorizationAnswer => ({ kind: 'redirect', redirectUri, state, code, message });
  if (state !== null && state.length > STATE_LIMIT) return { kind: 'page', message: 'The request of the application is too long.' };
  if (query.response_type !== 'code') return redirect('unsupported_response_type', 'response_type must be code.');
  const challenge = query.code_challenge;
  if (challenge === undefined || !/^[\w-]{43}$/.test(challenge)) return redirect('invalid_request', 'code_challenge (PKCE) is required.');
  if (query.code_challenge_method !== 'S256') return redirect('invalid_request', 'code_challenge_method must be S256.');
  const resource = query.resource ?? origin.defaultResource;
  if (!origin.isOwn(resource)) return redirect('invalid_target', 'resource does not name this service.');
  let role: Role;
  try {
    role = roleOfScope(query.scope);
  } catch (error) {
    if (error instanceof OAuthRefusal) return redirect(error.code, error.message);
    throw error;
  }
  return { kind: 'ask', request: { client, redirectUri, challenge, state, role, resource } };
}
