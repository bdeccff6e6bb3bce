import type { OAuthOrigin } from '@code-executor/executions';
import type { FastifyRequest } from 'fastify';
import { type GatewayConfig, isLoopback, LOOPBACK_HOSTS } from '../../config.ts';

type Naming = Pick<GatewayConfig, 'host' | 'allowedHosts' | 'publicUrl'>;

/** This service as the asking client reaches it: the public address where one is set, else the host it asks, which was checked. */
export function originOf(request: FastifyRequest, config: Naming): OAuthOrigin {
  const issuer = config.publicUrl === null ? `http://${request.headers.host ?? config.host}` : config.publicUrl.replace(/\/+$/, '');
  return { issuer, defaultResource: `${issuer}/mcp`, isOwn: (resource) => isResourceOf(resource, issuer) };
}

/** Whether a token's audience is this service, under whichever of its names; for tokens that come without their request. */
export function isOwnResource({ host, allowedHosts, publicUrl }: Naming): (resource: string) => boolean {
  if (publicUrl !== null) return (resource) => isResourceOf(resource, publicUrl.replace(/\/+$/, ''));
  const names = [...LOOPBACK_HOSTS, ...allowedHosts.map((name) => name.toLowerCase())];
  // Bound elsewhere without names it cannot know its own, as for the Host header.
  const isAnyName = !isLoopback(host) && allowedHosts.length === 0;
  return (resource) => {
    if (!URL.canParse(resource)) return false;
    const { origin, hostname } = new URL(resource);
    return isResourceOf(resource, origin) && (isAnyName || names.includes(hostname));
  };
}

function isResourceOf(resource: string, issuer: string): boolean {
  if (!URL.canParse(resource) || resource.includes('#')) return false;
  const given = new URL(resource);
  const own = new URL(issuer);
  const base = own.pathname.replace(/\/$/, '');
  return given.origin === own.origin && [base, `${base}/`, `${base}/mcp`, `${base}/mcp/`].includes(given.pathname);
}
