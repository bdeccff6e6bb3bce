import type { ConnectionAuth, SecretInput, ValueProviderKind } from '@code-executor/contracts';
import { AppError } from '@code-executor/platform';
import type { SecurityScheme } from './port.ts';

/** Where one value lies: sealed in the row itself, or read at each use. */
export type ValuePlace = { readonly provider: 'sealed' } | { readonly provider: ValueProviderKind; readonly key: string };
export type Places = Readonly<Record<string, ValuePlace>>;

export interface StoredOauth {
  readonly type: 'oauth2';
  readonly grant: 'authorization_code' | 'client_credentials';
  readonly clientId?: string | undefined;
  readonly clientAuthentication?: 'client_secret_basic' | 'client_secret_post' | 'none' | undefined;
  readonly scopes: readonly string[];
  readonly issuer?: string | undefined;
  readonly authorizationUrl?: string | undefined;
  readonly tokenUrl?: string | undefined;
  readonly resource?: string | undefined;
  readonly audience?: string | undefined;
  readonly parameters?: Readonly<Record<string, string>> | undefined;
  readonly values: Places;
}

/** How a connection's values are used, without the values. */
export type StoredAuth =
  | { readonly type: 'bearer' | 'basic'; readonly values: Places }
  | {
      readonly type: 'apiKey';
      readonly in: 'header' | 'query' | 'cookie';
      readonly name: string;
      readonly values: Places;
    }
  /** The names of `values` are those of the headers. */
  | { readonly type: 'headers'; readonly values: Places }
  | StoredOauth;

export interface ReadAuth {
  readonly settings: StoredAuth;
  /** The values that are to be sealed, by name. */
  readonly sealed: Readonly<Record<string, string>>;
  /** Tokens that were obtained elsewhere. */
  readonly tokens: { readonly accessToken?: string | undefined; readonly refreshToken?: string | undefined } | null;
}

/** These are the connection's own, or the protocol's: a credential in them would break or redirect the request. */
const FORBIDDEN_HEADERS = new Set([
  ...['host', 'content-length', 'transfer-encoding', 'connection', 'upgrade', 'te', 'trailer', 'expect', 'keep-alive'],
  ...['content-type', 'content-encoding', 'accept-encoding', 'mcp-session-id', 'mcp-protocol-version', 'traceparent'],
]);

/**
 * What a caller wrote, in the one form that is kept. What it left out of an API key comes from the integration's own document.
 * @throws AppError INVALID_REQUEST that names the field and no value.
 */
export function readAuth(
  auth: ConnectionAuth,
  integration: { readonly slug: string; readonly schemes: readonly SecurityScheme[] },
): ReadAuth {
  switch (auth.type) {
    case 'bearer':
      return placed({ token: auth.token }, (values) => ({ type: 'bearer', values }));
    case 'basic':
      return placed({ username: auth.username, password: auth.password }, (values) => ({ type: 'basic', values }));
    case 'apiKey':
    case 'api_key':
      return readApiKey(auth, integration);
    case 'headers': {
      const names = Object.keys(auth.headers);
      if (names.length === 0 || names.length > 32) throw invalid('auth.headers: give 1 to 32 headers');
      const distinct = new Set(names.map((name) => checkedHeader(name, 'auth.headers').toLowerCase()));
      if (distinct.size < names.length) throw invalid('auth.headers: two names differ in case alone');
      return placed(auth.headers, (values) => ({ type: 'headers', values }));
    }
    case 'oauth2':
    case 'oauth':
      return readOauth(auth);
  }
}

function readApiKey(
  auth: Extract<ConnectionAuth, { type: 'apiKey' | 'api_key' }>,
  { slug, schemes }: { readonly slug: string; readonly schemes: readonly SecurityScheme[] },
): ReadAuth {
  const given = [auth.value, auth.key, auth.token].filter((value) => value !== undefined);
  const [value] = given;
  if (value === undefined || given.length > 1) throw invalid('auth.value: give the key once, as "value" (or "key", or "token")');
  if ((auth.in === undefined) !== (auth.name === undefined) && auth.scheme === undefined && schemes.every(({ type }) => type !== 'apiKey'))
    throw invalid('auth.in and auth.name: give both, or neither');
  const declared = auth.in !== undefined && auth.name !== undefined ? null : findScheme(auth, slug, schemes);
  if (declared !== null && declared.type === 'bearer') return placed({ token: value }, (values) => ({ type: 'bearer', values }));
  const place = auth.in ?? declared?.in;
  const name = auth.name ?? declared?.parameter;
  if (place === undefined || name === undefined) throw invalid('auth.in and auth.name: give both');
  if (place === 'header') checkedHeader(name, 'auth.name');
  if (place === 'cookie' && !/^[\w!#$%&'*+.^`|~-]+$/.test(name)) throw invalid('auth.name: this cannot be the name of a cookie');
  return placed({ value }, (values) => ({ type: 'apiKey', in: place, name, values }));
}

type Declared =
  | Extract<SecurityScheme, { type: 'apiKey' }>
  | { readonly type: 'bearer'; readonly in?: undefined; readonly parameter?: undefined };

/** The API key scheme that is meant: the named one, or the only one; a document that declares bearer tokens alone calls its key a token. */
function findScheme(
  auth: { readonly scheme?: string | undefined; readonly in?: string | undefined; readonly name?: string | undefined },
  slug: string,
  schemes: readonly SecurityScheme[],
): Declared {
  const keys = schemes.filter((scheme) => scheme.type === 'apiKey');
  if (auth.scheme !== undefined) {
    const named = schemes.find(({ name }) => name === auth.scheme);
    if (named?.type === 'apiKey') return named;
    if (named?.type === 'bearer') return { type: 'bearer' };
    throw invalid(`auth.scheme: ${slug} declares no API key scheme of this name${listed(keys.map(({ name }) => name))}`);
  }
  const fitting = keys.filter(
    (scheme) => (auth.in === undefined || scheme.in === auth.in) && (auth.name === undefined || scheme.parameter === auth.name),
  );
  const [only, other] = fitting;
  if (only !== undefined && other === undefined) return only;
  if (only !== undefined)
    throw invalid(`auth.scheme: ${slug} declares several API key schemes; name one${listed(fitting.map(({ name }) => name))}`);
  if (schemes.some(({ type }) => type === 'bearer')) return { type: 'bearer' };
  throw invalid(
    `auth.in and auth.name: ${slug} does not declare where an API key goes; say it, for example "in": "header", "name": "X-API-Key"`,
  );
}

function readOauth(auth: Extract<ConnectionAuth, { type: 'oauth2' | 'oauth' }>): ReadAuth {
  const { type: _, clientSecret, refreshToken, accessToken, ...rest } = auth;
  const grant = auth.grant ?? 'authorization_code';
  if (grant === 'client_credentials' && (auth.clientId === undefined || clientSecret === undefined))
    throw invalid('auth.clientId and auth.clientSecret: the grant client_credentials needs both');
  if (clientSecret !== undefined && auth.clientId === undefined)
    throw invalid('auth.clientId: a clientSecret without its clientId is of no use');
  if (auth.authorizationUrl !== undefined && auth.tokenUrl === undefined) throw invalid('auth.tokenUrl: goes with authorizationUrl');
  if (accessToken !== undefined || refreshToken !== undefined) {
    if (grant !== 'authorization_code') throw invalid('auth.refreshToken: the grant client_credentials has no tokens to begin with');
    if (refreshToken !== undefined && auth.clientId === undefined)
      throw invalid('auth.clientId: a refreshToken belongs to a client; name it');
  }
  const read = placed(clientSecret === undefined ? {} : { clientSecret }, (values) => ({
    ...rest,
    type: 'oauth2',
    grant,
    scopes: auth.scopes ?? [],
    values,
  }));
  return { ...read, tokens: accessToken === undefined && refreshToken === undefined ? null : { accessToken, refreshToken } };
}

/** Splits what is written here from what is referred to. */
function placed(inputs: Readonly<Record<string, SecretInput>>, build: (values: Places) => StoredAuth): ReadAuth {
  const values: Record<string, ValuePlace> = {};
  const sealed: Record<string, string> = {};
  for (const [name, input] of Object.entries(inputs)) {
    if (typeof input === 'string') {
      values[name] = { provider: 'sealed' };
      sealed[name] = input;
    } else values[name] = input;
  }
  return { settings: build(values), sealed, tokens: null };
}

function checkedHeader(name: string, field: string): string {
  if (FORBIDDEN_HEADERS.has(name.toLowerCase())) throw invalid(`${field}: the header ${name} is not a connection's to set`);
  return name;
}

const listed = (names: readonly string[]): string => (names.length === 0 ? '' : `: ${names.slice(0, 20).join(', ')}`);
const invalid = (message: string): AppError => new AppError('INVALID_REQUEST', message);
