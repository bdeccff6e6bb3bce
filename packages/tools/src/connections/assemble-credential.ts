import { AppError } from '@code-executor/platform';
import type { Credential } from './port.ts';
import type { StoredAuth } from './stored-auth.ts';

/** Shorter parts occur everywhere by chance: hiding them would hide nothing and garble every reply. */
const SHORTEST_SECRET = 4;

/**
 * What a connection's values add to a request. OAuth's access token comes as the value `accessToken`.
 * @throws AppError CONNECTION_BROKEN where a value cannot travel where it is meant to.
 */
export function assembleCredential(
  connectionId: string,
  label: string,
  auth: StoredAuth,
  values: Readonly<Record<string, string>>,
): Credential {
  const value = (name: string): string => {
    const found = values[name];
    if (found === undefined)
      throw new AppError('CONNECTION_BROKEN', `${label} has no ${name}; give it anew with PATCH /connections/${connectionId}`);
    return found;
  };
  const headers: Record<string, string> = {};
  const query: Record<string, string> = {};
  const cookies: Record<string, string> = {};
  const secrets = new Set<string>();
  const hide = (...texts: readonly string[]): void => {
    for (const text of texts) if (text.length >= SHORTEST_SECRET) secrets.add(text);
  };
  switch (auth.type) {
    case 'bearer':
      headers.authorization = `Bearer ${value('token')}`;
      hide(value('token'));
      break;
    case 'oauth2':
      headers.authorization = `Bearer ${value('accessToken')}`;
      hide(value('accessToken'));
      break;
    case 'basic': {
      const pair = Buffer.from(`${value('username')}:${value('password')}`).toString('base64');
      headers.authorization = `Basic ${pair}`;
      hide(value('password'), pair);
      // Some services take a key as the user's name and nothing, or a dummy, as the password.
      if (value('password').length < SHORTEST_SECRET || value('username').length >= 20) hide(value('username'));
      break;
    }
    case 'apiKey': {
      const text = value('value');
      if (auth.in === 'header') headers[auth.name.toLowerCase()] = text;
      else if (auth.in === 'query') query[auth.name] = text;
      else cookies[auth.name] = checkedCookie(text, label);
      hide(text, ...partsOf(text));
      break;
    }
    case 'headers':
      for (const name of Object.keys(auth.values)) {
        headers[name.toLowerCase()] = value(name);
        hide(value(name), ...partsOf(value(name)));
      }
      break;
  }
  for (const [name, text] of Object.entries(headers)) checkHeader(name, text, label);
  return { connectionId, headers, query, cookies, secrets: [...secrets] };
}

/** `Token abc` is echoed as `abc` as often as whole. */
const partsOf = (text: string): string[] => text.split(/\s+/).filter((part) => !/^(bearer|basic|token|apikey|key)$/i.test(part));

function checkHeader(name: string, text: string, label: string): void {
  if (/[^\t\x20-\x7e\x80-\xff]/.test(text) || text.trim() !== text)
    throw new AppError(
      'CONNECTION_BROKEN',
      `${label}: its value for the header ${name} has characters that a header cannot carry (a line break?)`,
    );
}

function checkedCookie(text: string, label: string): string {
  if (!/^[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*$/.test(text))
    throw new AppError('CONNECTION_BROKEN', `${label}: its value has characters that a cookie cannot carry`);
  return text;
}
