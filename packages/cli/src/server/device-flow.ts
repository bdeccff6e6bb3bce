import { setTimeout as sleep } from 'node:timers/promises';
import type { Profile } from './profiles.ts';

const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code';
const REQUEST_TIMEOUT_MS = 30_000;

export interface DeviceOptions {
  readonly role: string;
  readonly signal: AbortSignal;
  readonly show: (text: string) => void;
}

export interface Credential {
  readonly key: string;
  readonly refresh?: Profile['refresh'];
}

/** RFC 8628: shows a code, and waits until somebody with a key has agreed to it in a browser. */
export async function authorizeDevice(url: string, { role, signal, show }: DeviceOptions): Promise<Credential> {
  const clientId = await register(url, signal);
  const begun = await post(`${url}/oauth/device_authorization`, { client_id: clientId, scope: role }, signal);
  if (begun.error !== undefined) throw refusal(begun);
  const { device_code: deviceCode, user_code: userCode, verification_uri: page, verification_uri_complete: whole } = begun;
  show(`Open ${String(whole ?? page)}\nand check that it shows the code ${String(userCode)}. Whoever holds an API key agrees there.`);
  const tokenUrl = `${url}/oauth/token`;
  const endsAt = Date.now() + Number(begun.expires_in ?? 600) * 1_000;
  let intervalMs = Number(begun.interval ?? 5) * 1_000;
  while (Date.now() < endsAt) {
    await sleep(intervalMs, undefined, { signal });
    const answer = await post(tokenUrl, { grant_type: DEVICE_GRANT, device_code: String(deviceCode), client_id: clientId }, signal);
    if (typeof answer.access_token === 'string') return credentialOf(answer, answer.access_token, clientId, tokenUrl);
    if (answer.error === 'slow_down') intervalMs += 5_000;
    else if (answer.error !== 'authorization_pending') throw refusal(answer);
  }
  throw new Error('Nobody agreed in time: log in again.');
}

/** A new access token for a credential that has one to be renewed with. */
export async function renewToken(refresh: NonNullable<Profile['refresh']>, signal: AbortSignal): Promise<Credential> {
  const answer = await post(
    refresh.tokenUrl,
    { grant_type: 'refresh_token', refresh_token: refresh.token, client_id: refresh.clientId },
    signal,
  );
  if (typeof answer.access_token !== 'string') throw refusal(answer);
  return credentialOf({ refresh_token: refresh.token, ...answer }, answer.access_token, refresh.clientId, refresh.tokenUrl);
}

export async function revokeToken(refresh: NonNullable<Profile['refresh']>, signal: AbortSignal): Promise<void> {
  await post(refresh.tokenUrl.replace(/token$/, 'revoke'), { token: refresh.token, client_id: refresh.clientId }, signal);
}

async function register(url: string, signal: AbortSignal): Promise<string> {
  const response = await fetch(`${url}/oauth/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      client_name: 'executor CLI',
      grant_types: [DEVICE_GRANT, 'refresh_token'],
      // Never gone to: this grant has no redirect, and registration wants one.
      redirect_uris: ['http://127.0.0.1/'],
      token_endpoint_auth_method: 'none',
    }),
    signal: AbortSignal.any([signal, AbortSignal.timeout(REQUEST_TIMEOUT_MS)]),
    redirect: 'error',
  });
  const { client_id: clientId, ...rest } = (await response.json()) as Record<string, unknown>;
  if (typeof clientId !== 'string') throw refusal(rest);
  return clientId;
}

async function post(url: string, fields: Record<string, string>, signal: AbortSignal): Promise<Record<string, unknown>> {
  const response = await fetch(url, {
    method: 'POST',
    body: new URLSearchParams(fields),
    signal: AbortSignal.any([signal, AbortSignal.timeout(REQUEST_TIMEOUT_MS)]),
    redirect: 'error',
  });
  const text = await response.text();
  return text === '' ? {} : (JSON.parse(text) as Record<string, unknown>);
}

function credentialOf(answer: Record<string, unknown>, key: string, clientId: string, tokenUrl: string): Credential {
  const { refresh_token: token } = answer;
  const seconds = Number(answer.expires_in ?? 0);
  const expiresAt = seconds > 0 ? Date.now() + seconds * 1_000 : null;
  return { key, ...(typeof token === 'string' ? { refresh: { token, clientId, tokenUrl, expiresAt } } : {}) };
}

function refusal(answer: Record<string, unknown>): Error {
  const { error, error_description: description } = answer;
  const code = typeof error === 'object' && error !== null ? (error as { message?: unknown }).message : error;
  return new Error(`The service did not log this CLI in: ${String(description ?? code ?? 'it gave no reason')}.`);
}
