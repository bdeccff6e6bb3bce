import { APPROVAL_SCOPES, type ApprovalScope, type ApprovalStatus } from '@code-executor/contracts';
import type { Seal } from '../integrations/seal.ts';
import type { ApprovalRow } from './approval-store.ts';
import { visibleArguments, visibleText } from './display.ts';
import type { ApprovalRecord } from './port.ts';

/** Which row sealed arguments belong to. */
export const argumentsPlace = (approvalId: string): string => `approvals/${approvalId}/arguments`;

/** `server.tool`, with the connection where it is not the default one. */
export const addressOf = ({ server, tool, connection }: Pick<ApprovalRow, 'server' | 'tool' | 'connection'>): string =>
  `${server}${connection === null ? '' : `@${connection}`}.${tool}`;

/** As people and clients see it: nothing in it can deceive a reader or flood a screen. */
export function toApprovalRecord(row: ApprovalRow, seal: Pick<Seal, 'open'>): ApprovalRecord {
  const args: unknown = JSON.parse(seal.open(row.sealed_arguments, argumentsPlace(row.id)));
  const { shown, truncated } = visibleArguments(args);
  return {
    id: row.id,
    status: row.status as ApprovalStatus,
    executionId: row.execution_id,
    callNumber: row.call_number,
    tool: visibleText(addressOf(row)),
    connection: row.connection,
    principalId: row.principal_id,
    arguments: shown,
    argumentsTruncated: truncated,
    argumentDigest: row.argument_digest,
    policyReason: visibleText(row.policy_reason),
    createdAt: row.created_at.toISOString(),
    expiresAt: row.expires_at.toISOString(),
    decidedAt: row.decided_at?.toISOString() ?? null,
    decidedBy: row.decided_by,
    scope: scopeOf(row.scope),
    reason: row.reason,
    selfApproved: row.self_approved,
    always: { pattern: addressOf({ ...row, connection: null }), action: 'allow' },
  };
}

const scopeOf = (text: string | null): ApprovalScope | null => APPROVAL_SCOPES.find((scope) => scope === text) ?? null;
