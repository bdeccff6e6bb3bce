import type { Principal, Role } from '@code-executor/contracts';
import { AppError } from '@code-executor/platform';
import type { ApprovalStore } from '../approvals/approval-store.ts';
import { assertAct, type FindPrincipal } from '../calls/may-call.ts';
import type { Policies } from '../policies/policies.ts';
import type { CallOccasion } from '../sources/source.ts';
import type { ExecutorTool } from './executor-tools.ts';

export interface ActingDependencies {
  readonly findPrincipal: FindPrincipal;
  readonly approvals: Pick<ApprovalStore, 'find'>;
  readonly rules: Pick<Policies, 'get'>;
}

const RANK: Readonly<Record<Role, number>> = { agent: 0, operator: 1, admin: 2 };

/**
 * With whose rights a call acts: of what only reads, the asker's; of everything else the person's who approved this very call, or
 * who wrote the policy that names the tool. @throws AppError FORBIDDEN, APPROVAL_VOID
 */
export async function actingPrincipal(occasion: CallOccasion, tool: ExecutorTool, deps: ActingDependencies): Promise<Principal> {
  const id = tool.isReadOnly ? occasion.principalId : await personOf(occasion, deps);
  const known = id === null ? null : await deps.findPrincipal(id);
  if (known === null || known.role === undefined || known.isActive === false)
    throw new AppError('APPROVAL_VOID', `executor.${tool.name} was not called: who approved it is not known here any more`);
  const { role, name, scopes } = known;
  if (RANK[role] < RANK[tool.role])
    throw new AppError('FORBIDDEN', `executor.${tool.name} takes the approval of the role ${tool.role}; it has that of the role ${role}`);
  assertAct(known, tool.scope);
  return { id: known.id, workspaceId: occasion.workspaceId, role, name, scopes };
}

async function personOf({ approvalId, policyId, workspaceId }: CallOccasion, deps: ActingDependencies): Promise<string | null> {
  if (approvalId !== null && approvalId !== undefined) return (await deps.approvals.find(approvalId, workspaceId))?.decided_by ?? null;
  return policyId === null || policyId === undefined ? null : deps.rules.get(policyId).createdBy;
}
