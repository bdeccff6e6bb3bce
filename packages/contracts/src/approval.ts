import { z } from 'zod';

/**
 * `pending → approved → consumed` (the call was made), or `denied`, `expired`, `cancelled` (its execution ended first, or what was approved
 * is not what would be called any more).
 */
export const APPROVAL_STATUSES = ['pending', 'approved', 'denied', 'expired', 'cancelled', 'consumed'] as const;
export type ApprovalStatus = (typeof APPROVAL_STATUSES)[number];

export const APPROVAL_DECISIONS = ['approve', 'deny'] as const;
export type ApprovalDecision = (typeof APPROVAL_DECISIONS)[number];

/** `once`: this call; `execution`: every call of this tool in this execution; `always`: from now on, by a policy. */
export const APPROVAL_SCOPES = ['once', 'execution', 'always'] as const;
export type ApprovalScope = (typeof APPROVAL_SCOPES)[number];

export const APPROVAL_REASON_LIMIT = 500;

/** Body of `POST /approvals/:id`. */
export const approvalDecisionSchema = z.strictObject({
  decision: z.enum(APPROVAL_DECISIONS),
  scope: z.enum(APPROVAL_SCOPES).optional(),
  reason: z.string().max(APPROVAL_REASON_LIMIT).optional(),
});
export type ApprovalVerdict = z.infer<typeof approvalDecisionSchema>;

/** One tool call that waits for a person, or waited. Its texts are escaped: control and bidirectional characters are spelt out. */
export const approvalSchema = z.object({
  id: z.string(),
  status: z.enum(APPROVAL_STATUSES),
  executionId: z.string(),
  callNumber: z.int().describe('which call of the execution, from 1'),
  tool: z.string().describe('`server.tool`, or `server@connection.tool`'),
  connection: z.string().nullable(),
  principalId: z.string().describe('on whose behalf the program runs'),
  arguments: z.unknown(),
  argumentsTruncated: z.boolean().describe('`arguments` are longer than what is shown'),
  argumentDigest: z.string().describe('SHA-256 of the canonical arguments'),
  policyReason: z.string().describe('why a decision is needed'),
  createdAt: z.string(),
  expiresAt: z.string(),
  decidedAt: z.string().nullable(),
  decidedBy: z.string().nullable(),
  scope: z.enum(APPROVAL_SCOPES).nullable(),
  reason: z.string().nullable().describe('what was said with the decision, or why it was cancelled'),
  selfApproved: z.boolean().describe('who asked and who decided is one and the same key'),
  always: z.object({ pattern: z.string(), action: z.literal('allow') }).describe('the policy that scope `always` would write'),
});
export type ApprovalFields = z.infer<typeof approvalSchema>;

/** As an execution that is paused shows it. */
export const pendingApprovalSchema = z.object({
  id: z.string(),
  tool: z.string(),
  arguments: z.unknown(),
  expiresAt: z.string(),
  url: z.string(),
});
