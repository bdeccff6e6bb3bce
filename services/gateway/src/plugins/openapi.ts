import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import { jsonSchemaTransform } from 'fastify-type-provider-zod';
import type { GatewayApp } from '../gateway-app.ts';

/** Everything comes from this gateway itself, so the page works without a network; swagger-ui sets inline styles. */
const DOCS_CSP =
  "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

/** `/openapi.json` from the routes' zod schemas, and `/docs` to read it. Both are public: they say nothing of this instance. */
export async function registerOpenapi(app: GatewayApp, version: string): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Code executor',
        description: "Runs agents' TypeScript and Python programs in fresh sandboxes and lets them call tools from code.",
        version,
      },
      servers: [{ url: '/' }],
      components: { securitySchemes: { key: { type: 'http', scheme: 'bearer', description: 'An API key' } } },
      security: [{ key: [] }],
    },
    transform: jsonSchemaTransform,
  });
  await app.register(async (docs) => {
    docs.addHook('onRoute', (route) => {
      route.config = { ...route.config, access: 'public' };
    });
    await docs.register(swaggerUi, { routePrefix: '/docs', staticCSP: DOCS_CSP, uiConfig: { tryItOutEnabled: true } });
  });
  let document: string | undefined;
  app.get('/openapi.json', { config: { access: 'public' }, schema: { hide: true } as object }, (_request, reply) => {
    document ??= JSON.stringify(app.swagger());
    return reply.type('application/json').send(document);
  });
}
