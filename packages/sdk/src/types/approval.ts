/** What a paused execution waits for. A human decides at `url`. */
export interface PendingApproval {
  readonly id: string;
  readonly tool: string;
  readonly arguments?: unknown;
  readonly expiresAt: string;
  readonly url: string;
}

/** `pending → approved → consumed` (the call was made), or `denied`, `expired`, `cancelled`. */
export type ApprovalStatus = 'pending' | 'approved' | 'denied' | 'expired' | 'cancelled' | 'consumed';

/** `once`: this call; `execution`: every call of this tool in this execution; `always`: from now on, by a policy. */
export type ApprovalScope = 'once' | 'execution' | 'always';

export interface Approval extends PendingApproval {
  readonly status: ApprovalStatus;
  readonly executionId: string;
  /** Which call of the execution, from 1. */
  readonly callNumber: number;
  readonly connection: string | null;
  readonly principalId: string;
  readonly argumentsTruncated: boolean;
  readonly argumentDigest: string;
  /** Why a decision is needed. */
  readonly policyReason: string;
  readonly createdAt: string;
  readonly decidedAt: string | null;
  readonly decidedBy: string | null;
  readonly scope: ApprovalScope | null;
  readonly reason: string | null;
  readonly selfApproved: boolean;
  /** The policy that scope `always` would write. */
  readonly always: { readonly pattern: string; readonly action: 'allow' };
}

export interface ApprovalVerdict {
  readonly decision: 'approve' | 'deny';
  readonly scope?: ApprovalScope;
  readonly reason?: string;
}
