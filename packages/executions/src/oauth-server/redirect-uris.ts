import { OAuthRefusal } from './refusal.ts';

const LENGTH_LIMIT = 2_000;
const LOOPBACK = ['127.0.0.1', '[::1]', 'localhost'];
/** Schemes that run or read something in a browser instead of opening an application. */
const DANGEROUS = ['javascript:', 'data:', 'vbscript:', 'file:', 'blob:', 'about:', 'view-source:', 'filesystem:', 'ws:', 'wss:', 'ftp:'];

/** https anywhere, http on this machine alone, or the scheme of an application. Throws invalid_redirect_uri. */
export function checkRedirectUri(uri: string): string {
  const refuse = (why: string): never => {
    throw new OAuthRefusal('invalid_redirect_uri', `${JSON.stringify(uri.slice(0, 200))} ${why}`);
  };
  if (uri.length > LENGTH_LIMIT || /[\s\\"<>]|[^\x20-\x7e]/.test(uri)) refuse('is too long, or has characters that no address has');
  const url = URL.canParse(uri) ? new URL(uri) : refuse('is no address');
  if (uri.includes('#')) refuse('has a fragment');
  if (url.username !== '' || url.password !== '') refuse('has a user name or password');
  // Hosts may hold signs that end a directive of the consent page's policy, which names where it leads.
  if (!/^[\w.:[\]-]*$/.test(url.host)) refuse('has a host that no name or number is');
  if (url.protocol === 'https:') return uri;
  if (url.protocol === 'http:') return LOOPBACK.includes(url.hostname) ? uri : refuse('must use https: http is for this machine alone');
  if (DANGEROUS.includes(url.protocol) || !/^[a-z][a-z0-9+.-]{1,60}:$/.test(url.protocol)) refuse('has a scheme that is not allowed');
  return uri;
}

/** Exactly as registered; a loopback address by number or name may come with another port (RFC 8252, 7.3). */
export function isRegistered(uri: string, registered: readonly string[]): boolean {
  return registered.some((known) => known === uri || isSameLoopback(uri, known));
}

function isSameLoopback(uri: string, known: string): boolean {
  const given = /^http:\/\/(127\.0\.0\.1|\[::1\]|localhost)(?::\d{1,5})?(\/[^\s#]*)?$/.exec(uri);
  const wanted = /^http:\/\/(127\.0\.0\.1|\[::1\]|localhost)(?::\d{1,5})?(\/[^\s#]*)?$/.exec(known);
  return given !== null && wanted !== null && given[1] === wanted[1] && (given[2] ?? '') === (wanted[2] ?? '');
}
