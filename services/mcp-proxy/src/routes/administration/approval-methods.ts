import { APPROVAL_STATUSES, approvalDecisionSchema, idPattern } from '@code-executor/contracts';
import { z } from 'zod';
import { method } from './method.ts';

const approvalId = z.string().regex(idPattern('apr'));
const pageSchema = z.strictObject({
  status: z.enum(APPROVAL_STATUSES).optional(),
  executionId: z.string().regex(idPattern('exe')).optional(),
  limit: z.int().min(1).max(1_000),
  cursor: z.string().max(64).optional(),
});

export const APPROVAL_METHODS = [
  ['listApprovals', method(z.tuple([pageSchema]), (tools, principal, [page]) => tools.listApprovals(principal, page))],
  ['getApproval', method(z.tuple([approvalId]), (tools, principal, [id]) => tools.getApproval(principal, id))],
  [
    'decideApproval',
    method(z.tuple([approvalId, approvalDecisionSchema]), (tools, principal, [id, verdict]) =>
      tools.decideApproval(principal, id, verdict),
    ),
  ],
] as const;
