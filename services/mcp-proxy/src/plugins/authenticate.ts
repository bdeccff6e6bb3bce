import type { ClaimGrant, Grants, ServiceIdentity } from '@code-executor/platform';
import { AppError } from '@code-executor/platform';
import type { FastifyRequest } from 'fastify';
import type { ProxyApp } from '../proxy-app.ts';

export interface AuthenticationDependencies {
  readonly grants: Pick<Grants, 'verify'>;
  readonly verifyService: (token: string) => Promise<ServiceIdentity>;
}

/** Before anything of a request is read: who sends it, and whether the route is for them. A route that says nothing is for nobody. */
export function registerAuthentication(app: ProxyApp, { grants, verifyService }: AuthenticationDependencies): void {
  app.decorateRequest('service', null);
  app.decorateRequest('grant', null);
  app.addHook('onRequest', async (request) => {
    const { caller } = request.routeOptions.config;
    if (caller === 'public') return;
    const token = bearerOf(request);
    if (caller === 'grant') {
      request.grant = { grant: await grants.verify(token), bearer: token };
      return;
    }
    request.service = await verifyService(token);
    if (caller !== undefined && request.service.role !== caller)
      throw new AppError('FORBIDDEN', `This route is for the ${caller}, not for the ${request.service.role}`);
  });
}

/** The grant that a route for its holders was asked with. */
export function grantOf({ grant }: FastifyRequest): { readonly grant: ClaimGrant; readonly bearer: string } {
  if (grant === null) throw new AppError('INTERNAL', 'A route that takes a grant was reached without one');
  return grant;
}

function bearerOf(request: FastifyRequest): string {
  const token = /^Bearer ([\w-]+\.[\w-]+\.[\w-]*)$/.exec(request.headers.authorization ?? '')?.[1];
  if (token === undefined) throw new AppError('UNAUTHENTICATED', 'Only services of the fleet are answered: Authorization: Bearer <token>');
  return token;
}
