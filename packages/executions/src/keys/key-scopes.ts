import { isWithin, type Principal, scopesSchema } from '@code-executor/contracts';
import { AppError } from '@code-executor/platform';
import type { StoredKey } from './key-store.ts';

/** Each once; null: none were given. @throws AppError INVALID_REQUEST */
export function readScopes(scopes: readonly string[] | undefined): readonly string[] | null {
  if (scopes === undefined) return null;
  const parsed = scopesSchema.safeParse([...new Set(scopes)]);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new AppError('INVALID_REQUEST', `scopes ${issue?.message ?? 'cannot be read'}.`, { details: { field: 'scopes' } });
}

/** A key that is narrowed, or that ends, makes none that may do more, or that outlives it. @throws AppError FORBIDDEN */
export function assertNoWider(
  { scopes }: Principal,
  own: StoredKey | undefined,
  made: { readonly expiry: Date | null; readonly scopes: readonly string[] | null },
): void {
  if (scopes !== null && scopes !== undefined && (made.scopes === null || !isWithin(made.scopes, scopes)))
    throw new AppError('FORBIDDEN', `This key is narrowed to ${scopes.join(', ')}: give the new one "scopes" within these.`);
  const end = own?.expiresAt ?? null;
  if (end !== null && (made.expiry === null || made.expiry.getTime() > Date.parse(end)))
    throw new AppError('FORBIDDEN', `This key expires at ${end}: give the new one an "expiresAt" that is not later.`);
}
