import { ROLES, type Role } from '@code-executor/contracts';
import { AppError } from '@code-executor/platform';
import type { Truth } from './condition.ts';

/** Who makes a call, as far as it is known. */
export interface CallPrincipal {
  readonly id: string;
  readonly workspaceId?: string | undefined;
  readonly role?: Role | undefined;
  /** Of the key. */
  readonly name?: string | undefined;
  /** Of the key. */
  readonly scopes?: readonly string[] | null | undefined;
  /** false: its key was revoked or has expired. */
  readonly isActive?: boolean | undefined;
}

/** Whom a rule is for: one principal by id, every key of a name, every principal of a role. */
export interface Subject {
  readonly kind: 'id' | 'name' | 'role';
  readonly value: string;
}

const ID = /^[a-z][a-z0-9]{1,7}_[\w.:-]{1,100}$/;

/** @throws AppError INVALID_REQUEST saying what is taken. */
export function parseSubject(text: string): Subject {
  const [, kind, value] = /^(id|name|role):(.+)$/su.exec(text) ?? [];
  if (kind === 'id' || kind === 'name') return { kind, value: value ?? '' };
  const role = kind === 'role' ? value : text;
  if (ROLES.some((known) => known === role)) return { kind: 'role', value: role ?? '' };
  if (kind === undefined && ID.test(text)) return { kind: 'id', value: text };
  throw new AppError(
    'INVALID_REQUEST',
    `principal ${JSON.stringify(text.slice(0, 100))} is neither the id of a key (key_…), role:${ROLES.join(', role:')}, nor name:NAME`,
  );
}

/** The narrower, the earlier: one id, then a name, then a role. */
export const subjectRank = ({ kind }: Subject): number => (kind === 'id' ? 0 : kind === 'name' ? 1 : 2);

export function isFor({ kind, value }: Subject, principal: CallPrincipal): Truth {
  const known = principal[kind];
  if (known === undefined) return 'unknown';
  return known === value ? 'yes' : 'no';
}
