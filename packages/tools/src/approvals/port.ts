import type { ApprovalFields, ApprovalStatus, ApprovalVerdict, Principal } from '@code-executor/contracts';

/** One call that waits for a person, as people and programs of the API see it. */
export type ApprovalRecord = ApprovalFields;

export interface ApprovalPageQuery {
  readonly status?: ApprovalStatus | undefined;
  readonly executionId?: string | undefined;
  readonly limit: number;
  readonly cursor?: string | undefined;
}

export interface ApprovalPage {
  readonly items: readonly ApprovalRecord[];
  readonly total: number;
  readonly nextCursor: string | null;
}

/** An agent sees the approvals of its own executions, operators those of the workspace; none but operators and admins decide. */
export interface ApprovalsAdministration {
  /** Newest first. */
  listApprovals(principal: Principal, page: ApprovalPageQuery): Promise<ApprovalPage>;
  /** @throws AppError APPROVAL_NOT_FOUND */
  getApproval(principal: Principal, approvalId: string): Promise<ApprovalRecord>;
  /**
   * Idempotent: the same decision again answers as the first did.
   * @throws AppError APPROVAL_NOT_FOUND, APPROVAL_DECIDED, FORBIDDEN
   */
  decideApproval(principal: Principal, approvalId: string, verdict: ApprovalVerdict): Promise<ApprovalRecord>;
}
