import { z } from 'zod';

/** Where a secret value may lie instead of in the database. */
export const VALUE_PROVIDERS = ['file', 'env', 'vault'] as const;
export type ValueProviderKind = (typeof VALUE_PROVIDERS)[number];

/** A connection's place in the way from "made" to "usable". `needs_…`: a person has to go through the provider's consent page. */
export const CONNECTION_STATUSES = ['active', 'needs_authorization', 'needs_reauthorization'] as const;
export type ConnectionStatus = (typeof CONNECTION_STATUSES)[number];

export const CONNECTION_OWNERS = ['workspace', 'principal'] as const;
export const CONNECTION_NAME = /^[a-z0-9][a-z0-9_-]{0,63}$/;
export const AUTH_TYPES = ['bearer', 'apiKey', 'basic', 'headers', 'oauth2'] as const;
export type AuthType = (typeof AUTH_TYPES)[number];

/** Most of any one secret value: certificates and long JWTs fit. */
const SECRET_LIMIT_CHARACTERS = 65_536;

const referenceSchema = z.strictObject({ provider: z.enum(VALUE_PROVIDERS), key: z.string().min(1).max(1_024) });
const secretSchema = z.union([z.string().min(1).max(SECRET_LIMIT_CHARACTERS), referenceSchema]);
/** A text, or where to read it at each use. */
export type SecretInput = z.infer<typeof secretSchema>;

const httpUrl = z.url({ protocol: /^https?$/ }).max(2_048);
const headerName = z
  .string()
  .max(128)
  .regex(/^[\w!#$%&'*+.^`|~-]+$/)
  .describe('the name of a header, a query parameter or a cookie');

const bearerSchema = z.strictObject({ type: z.literal('bearer'), token: secretSchema });
const apiKeySchema = z.strictObject({
  type: z.enum(['apiKey', 'api_key']),
  value: secretSchema.optional(),
  /** Other spellings of `value`. */
  key: secretSchema.optional(),
  token: secretSchema.optional(),
  /** Left out: as the integration's document declares it. */
  in: z.enum(['header', 'query', 'cookie']).optional(),
  name: headerName.optional(),
  /** Which of the document's schemes, where it declares several. */
  scheme: z.string().min(1).max(256).optional(),
});
const basicSchema = z.strictObject({
  type: z.literal('basic'),
  username: z.union([z.string().max(SECRET_LIMIT_CHARACTERS), referenceSchema]),
  password: z.union([z.string().max(SECRET_LIMIT_CHARACTERS), referenceSchema]),
});
const headersSchema = z.strictObject({ type: z.literal('headers'), headers: z.record(headerName, secretSchema) });
const oauthSchema = z.strictObject({
  type: z.enum(['oauth2', 'oauth']),
  grant: z.enum(['authorization_code', 'client_credentials']).optional(),
  /** Left out: registered with the server by itself (RFC 7591), where that server lets everybody register. */
  clientId: z.string().min(1).max(2_048).optional(),
  clientSecret: secretSchema.optional(),
  clientAuthentication: z.enum(['client_secret_basic', 'client_secret_post', 'none']).optional(),
  scopes: z
    .array(z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,256}$/))
    .max(128)
    .optional(),
  /** Of the authorization server: its endpoints are looked up (RFC 8414). Left out: from the integration itself. */
  issuer: httpUrl.optional(),
  authorizationUrl: httpUrl.optional(),
  tokenUrl: httpUrl.optional(),
  /** RFC 8707. */
  resource: httpUrl.optional(),
  audience: z.string().min(1).max(2_048).optional(),
  /** Further parameters of the consent page's address, such as `{"access_type": "offline"}`. */
  parameters: z.record(z.string().min(1).max(128), z.string().max(2_048)).optional(),
  /** Tokens that were obtained elsewhere: no consent page is needed then. */
  refreshToken: z.string().min(1).max(SECRET_LIMIT_CHARACTERS).optional(),
  accessToken: z.string().min(1).max(SECRET_LIMIT_CHARACTERS).optional(),
});

/** `writeOnly`: what a caller got wrong in it is named in errors, never repeated. */
export const connectionAuthSchema = z
  .discriminatedUnion('type', [bearerSchema, apiKeySchema, basicSchema, headersSchema, oauthSchema])
  .meta({ writeOnly: true });
export type ConnectionAuth = z.infer<typeof connectionAuthSchema>;

const connectionName = z.string().regex(CONNECTION_NAME).describe('1 to 64 of a–z, 0–9, - and _, the first a letter or digit');

/** Body of `POST /connections`. */
export const newConnectionSchema = z.strictObject({
  integration: z.string().min(1).max(128),
  name: connectionName,
  owner: z.enum(CONNECTION_OWNERS),
  /** With `owner: "principal"`, by an admin: whose it is. Left out: the caller's own. */
  principalId: z.string().min(1).max(64).optional(),
  auth: connectionAuthSchema,
  /** The first connection of an integration and owner becomes the default by itself. */
  default: z.boolean().optional(),
});
export type NewConnection = z.infer<typeof newConnectionSchema>;

/** Body of `PATCH /connections/:id`. */
export const connectionChangeSchema = z
  .strictObject({ auth: connectionAuthSchema.optional(), default: z.literal(true).optional() })
  .refine((change) => change.auth !== undefined || change.default !== undefined, {
    message: 'Nothing to change: give "auth" (new values), "default": true, or both.',
  });
export type ConnectionChange = z.infer<typeof connectionChangeSchema>;

/** A connection as it is shown: where its values lie, and none of them. */
export const connectionRecordSchema = z.object({
  id: z.string(),
  integration: z.string(),
  name: z.string(),
  owner: z.enum(CONNECTION_OWNERS),
  principalId: z.string().nullable().describe('whose it is; null: the workspace'),
  default: z.boolean(),
  address: z.string().describe('how code names it: `integration@name`'),
  auth: z.object({
    type: z.enum(AUTH_TYPES),
    in: z.enum(['header', 'query', 'cookie']).optional(),
    name: z.string().optional(),
    headers: z.array(z.string()).optional().describe('names'),
    grant: z.enum(['authorization_code', 'client_credentials']).optional(),
    clientId: z.string().optional(),
    scopes: z.array(z.string()).optional(),
    issuer: z.string().optional(),
    values: z.record(z.string(), z.object({ provider: z.enum(['sealed', ...VALUE_PROVIDERS]), key: z.string().optional() })),
  }),
  status: z.enum(CONNECTION_STATUSES),
  reason: z.string().nullable().describe('why it cannot be used, and what to do'),
  expiresAt: z.string().nullable().describe('of the present access token; it is renewed before that where it can be'),
  createdAt: z.string(),
  updatedAt: z.string(),
});
export type ConnectionRecord = z.infer<typeof connectionRecordSchema>;

/** Answer of `POST /connections/:id/validate`. */
export const connectionCheckSchema = z.object({
  outcome: z.enum(['ok', 'refused', 'unreachable', 'broken']),
  status: z.int().nullable().describe('of the upstream, where it answered'),
  message: z.string().nullable(),
});
export type ConnectionCheck = z.infer<typeof connectionCheckSchema>;

export const providerRecordSchema = z.object({
  kind: z.enum(['sealed', ...VALUE_PROVIDERS]),
  configured: z.boolean(),
  description: z.string().describe('where values lie, and how a key is written'),
});
export type ProviderRecord = z.infer<typeof providerRecordSchema>;
