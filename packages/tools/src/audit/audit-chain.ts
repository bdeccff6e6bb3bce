import { hash } from 'node:crypto';
import type { Selectable } from 'kysely';
import { canonicalJson } from '../calls/canonical-json.ts';
import type { ToolTables } from '../tables.ts';

export type AuditRow = Selectable<ToolTables['audit_events']>;

/** Where nothing is before. */
export const FIRST_DIGEST = '';

/** Over everything that a row says and the digest of the row before: neither can be changed, and none taken out, without the rest showing it. */
export function chainDigest(
  before: string,
  row: Omit<AuditRow, 'digest' | 'at' | 'position'> & { readonly at: Date; readonly position: number },
): string {
  const { at, ...fields } = row;
  return hash('sha256', canonicalJson([before, { ...fields, at: at.toISOString() }]));
}
