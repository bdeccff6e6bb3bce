import { ROLES } from '@code-executor/contracts';
import { AppError } from '@code-executor/platform';
import { z } from 'zod';
import { type ExternalIssuer, parseRoleMapping } from './external-tokens.ts';

/** The variables of who is let in beside API keys, in both forms. */
export const accessSettings = {
  /** The role of who shows no key; unset: nobody without one. */
  EXECUTOR_ANONYMOUS_ROLE: z.enum(ROLES).optional(),
  /** Lets anonymous callers in where others than this machine can reach the service. */
  EXECUTOR_ANONYMOUS_FORCE: z.enum(['true', 'false']).default('false'),
  /** The identity provider whose access tokens are taken, exactly as its tokens name it. */
  EXECUTOR_OIDC_ISSUER: z.url({ protocol: /^https?$/ }).optional(),
  /** What its tokens for this service name as their audience. */
  EXECUTOR_OIDC_AUDIENCE: z.string().min(1).optional(),
  /** The claim that is read as roles; a dot goes deeper. */
  EXECUTOR_OIDC_ROLE_CLAIM: z.string().min(1).default('roles'),
  /** value=role, by commas. */
  EXECUTOR_OIDC_ROLES: z.string().default(''),
  /** For who has none of these; unset: not let in. */
  EXECUTOR_OIDC_DEFAULT_ROLE: z.enum(ROLES).optional(),
};

type AccessSettings = z.infer<z.ZodObject<typeof accessSettings>>;

/** null: no provider is set. Throws INVALID_REQUEST where the variables do not go together. */
export function externalIssuerOf(settings: AccessSettings): ExternalIssuer | null {
  const { EXECUTOR_OIDC_ISSUER: issuer, EXECUTOR_OIDC_AUDIENCE: audience } = settings;
  if (issuer === undefined) return null;
  // Without one, a token that the provider made for anybody else would be taken.
  if (audience === undefined)
    throw new AppError(
      'INVALID_REQUEST',
      'EXECUTOR_OIDC_ISSUER needs EXECUTOR_OIDC_AUDIENCE: what its tokens for this service name as their audience.',
    );
  return {
    issuer,
    audience,
    roleClaim: settings.EXECUTOR_OIDC_ROLE_CLAIM,
    roles: parseRoleMapping(settings.EXECUTOR_OIDC_ROLES),
    defaultRole: settings.EXECUTOR_OIDC_DEFAULT_ROLE ?? null,
  };
}
