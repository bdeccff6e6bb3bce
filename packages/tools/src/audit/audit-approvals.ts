import type { ApprovalEvent } from '../approvals/approvals.ts';
import type { FindPrincipal } from '../calls/may-call.ts';
import type { Audit, AuditEvent } from './port.ts';

const TYPES: Readonly<Record<ApprovalEvent['type'], AuditEvent['type']>> = {
  requested: 'approval.request',
  approved: 'approval.decide',
  denied: 'approval.decide',
  expired: 'approval.expire',
  cancelled: 'approval.cancel',
};

/** What becomes of an approval goes into the record, whichever way it was decided. */
export async function auditApproval(event: ApprovalEvent, audit: Pick<Audit, 'record'>, findPrincipal: FindPrincipal): Promise<void> {
  const { type, approvalId, executionId, workspaceId, tool, principalId, decidedBy, scope, selfApproved, waitedMs } = event;
  const actor = type === 'requested' ? principalId : decidedBy;
  const known = actor === null ? null : await findPrincipal(actor);
  const dot = tool.indexOf('.');
  await audit.record({
    type: TYPES[type],
    principal: actor === null ? null : { id: actor, workspaceId, role: known?.role ?? null, name: known?.name },
    workspaceId,
    target: approvalId,
    server: tool.slice(0, dot).replace(/@.*$/, ''),
    tool: tool.slice(dot + 1),
    executionId,
    details: type === 'requested' ? null : { decision: type, scope, selfApproved, waitedMs, askedBy: principalId },
  });
}
