import type { ApprovalsAdministration } from '../approvals/port.ts';
import type { Ask } from './remote-ask.ts';

export const remoteApprovals = (read: Ask, change: Ask): ApprovalsAdministration => ({
  listApprovals: (principal, page) => read('listApprovals', principal, page),
  getApproval: (principal, approvalId) => read('getApproval', principal, approvalId),
  decideApproval: (principal, approvalId, verdict) => change('decideApproval', principal, approvalId, verdict),
});
