import { keyOf, type SessionOwner, type SessionRows } from './session-rows.ts';

/** Ids that clients never use again would otherwise stay for good. */
const REMEMBERED = 10_000;

/** Sessions that ended without their principal's wish, until it has heard of it. Their rows say so to the next process. */
export function createLosses(rows: SessionRows) {
  const reasons = new Map<string, { readonly owner: SessionOwner; readonly reason: string }>();
  return {
    note(owner: SessionOwner, reason: string): void {
      reasons.set(keyOf(owner), { owner, reason });
      while (reasons.size > REMEMBERED) reasons.delete(reasons.keys().next().value ?? '');
    },
    reason: (owner: SessionOwner): string | null => reasons.get(keyOf(owner))?.reason ?? null,
    /** The reason, once; null: it was not lost. */
    async take(owner: SessionOwner): Promise<string | null> {
      const lost = reasons.get(keyOf(owner));
      if (lost === undefined) return null;
      await rows.remove(owner);
      reasons.delete(keyOf(owner));
      return lost.reason;
    },
  };
}
