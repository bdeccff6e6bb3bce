import { hash } from 'node:crypto';
import type { ToolCallReply } from '@code-executor/contracts';
import type { PendingApproval } from '@code-executor/executions';
import { failure } from '../sources/mcp/reply-value.ts';
import { addressOf } from './approval-record.ts';
import type { ApprovalRow } from './approval-store.ts';
import type { Approvals, AskedCall } from './approvals.ts';

/** A call that a policy lets through only with a person's consent. */
export interface GatedCall extends Omit<AskedCall, 'argumentDigest'> {
  /** The decision that it is issued again with; absent: it is issued for the first time. */
  readonly approvalId?: string | undefined;
}

/** `pass`: it may be made, consuming `approvalId` where there is one. `wait`: nobody has decided yet. `refused`: it is not made. */
export type GateAnswer =
  | { readonly kind: 'pass'; readonly approvalId: string | null }
  | { readonly kind: 'wait'; readonly approval: PendingApproval }
  | { readonly kind: 'refused'; readonly reply: ToolCallReply & { readonly ok: false } };

/** What becomes of a gated call: what was decided counts for this very call and no other. */
export async function gateCall(call: GatedCall, approvals: Approvals): Promise<GateAnswer> {
  const argumentDigest = hash('sha256', call.canonicalArguments);
  const row =
    call.approvalId === undefined ? await firstTime(call, argumentDigest, approvals) : await again(call, call.approvalId, approvals);
  if (row === 'standing') return { kind: 'pass', approvalId: null };
  if (row === null) return refused('APPROVAL_VOID', call, 'there is no such approval for it');
  switch (row.status) {
    case 'pending':
      return { kind: 'wait', approval: { id: row.id, expiresAt: row.expires_at.toISOString() } };
    case 'approved':
      return await admit(row, { ...call, argumentDigest }, approvals);
    case 'denied':
      return denied(row, call);
    case 'expired':
      return refused('APPROVAL_EXPIRED', call, 'nobody decided in time');
    case 'consumed':
      return refused('CALL_REPEATED', call, `call ${call.callNumber} was made before and is not made again`);
    default:
      return refused('APPROVAL_VOID', call, row.reason ?? 'its approval was cancelled');
  }
}

async function firstTime(call: GatedCall, argumentDigest: string, approvals: Approvals): Promise<ApprovalRow | 'standing'> {
  const isCovered = await approvals.store.standing({
    execution_id: call.executionId,
    server: call.server,
    tool: call.tool,
    connection: call.connection,
    principal_id: call.principalId,
    definition_digest: call.definitionDigest,
  });
  return isCovered ? 'standing' : await approvals.ask({ ...call, argumentDigest });
}

async function again(call: GatedCall, approvalId: string, approvals: Approvals): Promise<ApprovalRow | null> {
  const row = await approvals.store.ofCall(call.executionId, call.callNumber);
  return row?.id === approvalId ? row : null;
}

/** Everything that the decision was bound to has to be what it was. */
async function admit(row: ApprovalRow, call: GatedCall & { readonly argumentDigest: string }, approvals: Approvals): Promise<GateAnswer> {
  const changed = [
    row.server === call.server && row.tool === call.tool ? '' : 'the tool',
    row.connection === call.connection ? '' : 'the connection',
    row.argument_digest === call.argumentDigest ? '' : 'the arguments',
    row.principal_id === call.principalId && row.workspace_id === call.workspaceId ? '' : 'the principal',
    row.definition_digest === call.definitionDigest ? '' : "the tool's definition",
  ].filter((name) => name !== '');
  const why =
    changed.length > 0
      ? `${changed.join(', ')} changed after it was approved`
      : (await approvals.isActive(row.principal_id))
        ? null
        : 'the key on whose behalf it would be made was revoked or has expired';
  if (why === null) return { kind: 'pass', approvalId: row.id };
  await approvals.void(row.id, why);
  return refused('APPROVAL_VOID', call, why);
}

function denied(row: ApprovalRow, call: GatedCall): GateAnswer {
  const said = row.reason === null || row.reason === '' ? 'no reason was given' : row.reason;
  return refused('APPROVAL_DENIED', call, `a person was asked and said no (${said})`, { approvalId: row.id, reason: row.reason });
}

function refused(code: string, call: GatedCall, why: string, details: object = {}): GateAnswer {
  const tool = addressOf(call);
  const reply = failure(code, `${tool} was not called: ${why}`, { tool, ...details });
  return { kind: 'refused', reply: reply as typeof reply & { readonly ok: false } };
}
