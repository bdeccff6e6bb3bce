import {
  type accessSettings,
  anonymousPrincipal,
  createExternalTokens,
  createMcpSessions,
  createOAuthServer,
  externalIssuerOf,
  mcpSessionLimitsOf,
} from '@code-executor/executions';
import { AppError, type Database, type Logger, type Open } from '@code-executor/platform';
import type { outboundSettings } from '@code-executor/tools';
import type { z } from 'zod';
import { type GatewayConfig, isLoopback, LOOPBACK_HOSTS } from './config.ts';
import { openProviderDocuments } from './provider-documents.ts';
import type { Access } from './routes/oauth/access.ts';
import { isOwnResource } from './routes/oauth/origin.ts';

type Naming = Pick<GatewayConfig, 'host' | 'allowedHosts' | 'publicUrl'>;
type AccessSettings = z.infer<z.ZodObject<typeof accessSettings>>;

type OutboundRules = Pick<z.infer<z.ZodObject<typeof outboundSettings>>, 'EXECUTOR_OUTBOUND_ALLOW'>;

interface AccessOptions {
  readonly db: Database;
  readonly log: Logger;
  readonly settings: AccessSettings & Parameters<typeof mcpSessionLimitsOf>[0] & OutboundRules;
  readonly naming: Naming;
  /** Seals the keys of access tokens. */
  readonly secret: string;
  readonly onKeysChanged: () => Promise<void>;
  readonly open: Open;
}

/** What the gateway keeps for those who do not come with an API key, or come by MCP. Throws as `openAccess` does. */
export async function openFaces(options: AccessOptions): Promise<{ access: Access; mcpSessions: ReturnType<typeof createMcpSessions> }> {
  const { db, log, settings, open } = options;
  const access = await openAccess(options);
  const sessions = createMcpSessions({ db, log, limits: mcpSessionLimitsOf(settings) });
  return { access, mcpSessions: open('MCP sessions', sessions, async (part) => part.close()) };
}

/** Who is let in beside API keys, as the operator has set it. Throws INVALID_REQUEST where that would let strangers in. */
async function openAccess({ db, log, settings, naming, secret, onKeysChanged, open }: AccessOptions): Promise<Access> {
  const external = externalIssuerOf(settings);
  const anonymousRole = settings.EXECUTOR_ANONYMOUS_ROLE ?? null;
  checkAccess(settings, naming);
  const oauth = open(
    'OAuth server',
    createOAuthServer({ db, log, secret, isOwnResource: isOwnResource(naming), onKeysChanged }),
    async (part) => part.close(),
  );
  const anonymous = anonymousRole === null ? null : await anonymousPrincipal(db, anonymousRole);
  if (anonymous !== null)
    log.warn({ role: anonymous.role }, 'Whoever reaches this service is let in without a key (EXECUTOR_ANONYMOUS_ROLE)');
  return {
    oauth,
    external: external === null ? null : { issuer: external.issuer, tokens: openExternal(external) },
    anonymous,
  };

  function openExternal(trusted: NonNullable<typeof external>): ReturnType<typeof createExternalTokens> {
    const documents = openProviderDocuments({ issuer: trusted.issuer, allow: settings.EXECUTOR_OUTBOUND_ALLOW, log });
    open('identity provider', documents, (part) => part.close());
    return createExternalTokens({ db, log, external: trusted, read: documents.read });
  }
}

/** Before anything is opened. Throws INVALID_REQUEST where anonymous callers are let in and others than this machine can reach the service. */
export function checkAccess(settings: AccessSettings, { host, allowedHosts, publicUrl }: Naming): void {
  if (settings.EXECUTOR_ANONYMOUS_ROLE === undefined || settings.EXECUTOR_ANONYMOUS_FORCE === 'true') return;
  const others = [
    ...(isLoopback(host) ? [] : [`EXECUTOR_HOST is ${host}`]),
    ...allowedHosts.filter((name) => !LOOPBACK_HOSTS.includes(name.toLowerCase())).map((name) => `EXECUTOR_ALLOWED_HOSTS has ${name}`),
    ...(publicUrl === null || LOOPBACK_HOSTS.includes(new URL(publicUrl).hostname) ? [] : [`EXECUTOR_PUBLIC_URL is ${publicUrl}`]),
  ];
  if (others.length === 0) return;
  throw new AppError(
    'INVALID_REQUEST',
    `EXECUTOR_ANONYMOUS_ROLE lets in whoever reaches this service, and others than this machine may: ${others.join(', ')}. Unset it, or set EXECUTOR_ANONYMOUS_FORCE=true where something in front keeps strangers out.`,
  );
}
