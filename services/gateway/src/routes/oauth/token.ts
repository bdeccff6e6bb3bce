import { OAuthRefusal, type TokenAnswer } from '@code-executor/executions';
import { z } from 'zod';
import type { GatewayApp, RouteDeps } from '../../gateway-app.ts';
import type { Access } from './access.ts';
import { readFields } from './forms.ts';
import { originOf } from './origin.ts';
import { PUBLIC_ROUTE } from './public-route.ts';
import { answerRefusal } from './refusals.ts';

const PUBLIC = { ...PUBLIC_ROUTE, errorHandler: answerRefusal };
const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code';

/** RFC 7591; what else a client tells of itself is not kept. */
const registrationSchema = z.looseObject({
  redirect_uris: z.array(z.string().max(2_000)).max(50).optional(),
  client_name: z.string().max(1_000).optional(),
  client_uri: z.string().max(2_000).optional(),
  grant_types: z.array(z.string()).max(20).optional(),
});

/** What clients ask of the authorization server themselves. */
export function registerTokenRoutes(app: GatewayApp, { config }: RouteDeps, { oauth }: Access): void {
  app.post('/oauth/register', PUBLIC, async (request, reply) => {
    const parsed = registrationSchema.safeParse(request.body);
    if (!parsed.success) throw new OAuthRefusal('invalid_client_metadata', 'The body must be client metadata as JSON (RFC 7591).');
    const { redirect_uris = [], client_name, client_uri, grant_types } = parsed.data;
    const client = await oauth.register({ name: client_name, uri: client_uri, redirectUris: redirect_uris });
    return reply.code(201).send({
      client_id: client.id,
      client_id_issued_at: Math.floor(client.createdAt.getTime() / 1000),
      client_name: client.name,
      ...(client.uri === null ? {} : { client_uri: client.uri }),
      redirect_uris: client.redirectUris,
      grant_types:
        grant_types?.includes(DEVICE_GRANT) === true
          ? ['authorization_code', 'refresh_token', DEVICE_GRANT]
          : ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
    });
  });

  app.post('/oauth/token', PUBLIC, async (request, reply) => {
    const fields = fieldsOf(request.body);
    const clientId = wanted(fields, 'client_id');
    const origin = originOf(request, config);
    let answer: TokenAnswer;
    switch (wanted(fields, 'grant_type')) {
      case 'authorization_code': {
        const { redirect_uri: redirectUri, resource } = fields;
        answer = await oauth.exchangeCode({
          clientId,
          code: wanted(fields, 'code'),
          verifier: wanted(fields, 'code_verifier'),
          redirectUri,
          resource,
          origin,
        });
        break;
      }
      case 'refresh_token':
        answer = await oauth.refresh({ clientId, token: wanted(fields, 'refresh_token'), scope: fields.scope, origin });
        break;
      case DEVICE_GRANT:
        answer = await oauth.pollDevice({ clientId, deviceCode: wanted(fields, 'device_code'), origin });
        break;
      default:
        throw new OAuthRefusal('unsupported_grant_type', 'grant_type must be authorization_code, refresh_token or the device code.');
    }
    return reply.headers({ 'cache-control': 'no-store', pragma: 'no-cache' }).send(answer);
  });

  app.post('/oauth/revoke', PUBLIC, async (request, reply) => {
    const fields = fieldsOf(request.body);
    await oauth.revokeToken(wanted(fields, 'client_id'), wanted(fields, 'token'));
    return reply.code(200).send();
  });

  app.post('/oauth/device_authorization', PUBLIC, async (request, reply) => {
    const fields = fieldsOf(request.body);
    const origin = originOf(request, config);
    const { scope, resource } = fields;
    const begun = await oauth.beginDevice({ clientId: wanted(fields, 'client_id'), scope, resource, origin });
    const page = `${origin.issuer}/oauth/device`;
    return reply.headers({ 'cache-control': 'no-store' }).send({
      device_code: begun.deviceCode,
      user_code: begun.userCode,
      verification_uri: page,
      verification_uri_complete: `${page}?user_code=${begun.userCode}`,
      expires_in: begun.expiresInSeconds,
      interval: begun.intervalSeconds,
    });
  });
}

function fieldsOf(body: unknown): Readonly<Record<string, string | undefined>> {
  const fields = readFields(body);
  if (fields === null)
    throw new OAuthRefusal('invalid_request', 'The body must be a form (application/x-www-form-urlencoded), each field once.');
  return fields;
}

function wanted(fields: Readonly<Record<string, string | undefined>>, name: string): string {
  const value = fields[name];
  if (value === undefined || value === '' || value.length > 4_096)
    throw new OAuthRefusal('invalid_request', `${name} is missing or too long.`);
  return value;
}
