import { type ActScope, allowsAct, allowsServer, serversOf } from '@code-executor/contracts';
import { AppError } from '@code-executor/platform';
import type { CallPrincipal } from '../policies/subject.ts';

/** Finds out what is known of a principal by its id; null: nothing. */
export type FindPrincipal = (id: string) => Promise<CallPrincipal | null> | CallPrincipal | null;

/** @throws AppError UNAUTHENTICATED for a key that was revoked or has expired since; FORBIDDEN for a server that it is not for. */
export function assertMayCall(principal: CallPrincipal, server: string): void {
  if (principal.isActive === false)
    throw new AppError('UNAUTHENTICATED', 'The key that this runs for was revoked or has expired: no further calls are made for it');
  assertServer(principal, server);
}

/** @throws AppError FORBIDDEN */
export function assertServer({ scopes }: Pick<CallPrincipal, 'scopes'>, server: string): void {
  if (!allowsServer(scopes, server))
    throw new AppError('FORBIDDEN', `This key is for ${serversOf(scopes)?.join(', ')} only, not for ${server}; its scopes say so`);
}

/** @throws AppError FORBIDDEN */
export function assertAct({ scopes }: Pick<CallPrincipal, 'scopes'>, act: ActScope): void {
  if (!allowsAct(scopes, act)) throw new AppError('FORBIDDEN', `This takes the scope ${act}; this key has ${scopes?.join(', ')}`);
}
