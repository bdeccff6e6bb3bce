import { ROLES, type Role } from '@code-executor/contracts';
import { OAuthRefusal } from './refusal.ts';

/** A scope is a role's name. From the least to the most. */
export const SCOPES: readonly Role[] = [...ROLES].reverse();
/** Asked for by clients that want to stay; everybody gets a refresh token. */
const IGNORED = ['offline_access', 'openid', 'profile'];

/** The highest role that a scope asks for; agent where it asks for none. Throws invalid_scope. */
export function roleOfScope(scope: string | undefined): Role {
  const wanted = (scope ?? '').split(' ').filter((name) => name !== '' && !IGNORED.includes(name));
  const unknown = wanted.find((name) => !SCOPES.some((role) => role === name));
  if (unknown !== undefined) {
    throw new OAuthRefusal('invalid_scope', `There is no scope ${JSON.stringify(unknown.slice(0, 60))}; there are ${SCOPES.join(', ')}.`);
  }
  return SCOPES.findLast((role) => wanted.includes(role)) ?? 'agent';
}

/** No higher than either. */
export const lowerRole = (one: Role, other: Role): Role => (SCOPES.indexOf(one) <= SCOPES.indexOf(other) ? one : other);
export const rolesUpTo = (role: Role): readonly Role[] => SCOPES.slice(0, SCOPES.indexOf(role) + 1);
