import { SCOPES } from '@code-executor/executions';
import type { GatewayApp, RouteDeps } from '../../gateway-app.ts';
import type { Access } from './access.ts';
import { originOf } from './origin.ts';
import { PUBLIC_ROUTE } from './public-route.ts';

/** Of the MCP endpoint: what a 401 points to. */
export const RESOURCE_METADATA = '/.well-known/oauth-protected-resource/mcp';

/** RFC 9728 and RFC 8414: where a client that was answered 401 finds out how to be let in. */
export function registerMetadata(app: GatewayApp, { config }: RouteDeps, { oauth, external }: Access): void {
  for (const path of ['/.well-known/oauth-protected-resource', RESOURCE_METADATA]) {
    app.get(path, PUBLIC_ROUTE, (request, reply) => {
      const { issuer } = originOf(request, config);
      return reply.send({
        resource: `${issuer}/mcp`,
        // Clients take the first: ours registers them by itself, which few providers do.
        authorization_servers: [issuer, ...(external === null ? [] : [external.issuer])],
        bearer_methods_supported: ['header'],
        // Clients ask for all that stands here: what is enough for the endpoint, and no more.
        scopes_supported: ['agent'],
        resource_name: 'Code executor',
      });
    });
  }
  for (const path of ['/.well-known/oauth-authorization-server', '/.well-known/oauth-authorization-server/mcp']) {
    app.get(path, PUBLIC_ROUTE, (request, reply) => {
      const { issuer } = originOf(request, config);
      return reply.send({
        issuer,
        authorization_endpoint: `${issuer}/oauth/authorize`,
        token_endpoint: `${issuer}/oauth/token`,
        registration_endpoint: `${issuer}/oauth/register`,
        revocation_endpoint: `${issuer}/oauth/revoke`,
        device_authorization_endpoint: `${issuer}/oauth/device_authorization`,
        jwks_uri: `${issuer}/oauth/jwks`,
        scopes_supported: SCOPES,
        response_types_supported: ['code'],
        response_modes_supported: ['query'],
        grant_types_supported: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
        token_endpoint_auth_methods_supported: ['none'],
        revocation_endpoint_auth_methods_supported: ['none'],
        code_challenge_methods_supported: ['S256'],
        authorization_response_iss_parameter_supported: true,
      });
    });
  }
  app.get('/oauth/jwks', PUBLIC_ROUTE, async (_request, reply) => reply.send({ keys: await oauth.publishedKeys() }));
}
