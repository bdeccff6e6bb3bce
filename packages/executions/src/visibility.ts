import type { Principal } from '@code-executor/contracts';
import { AppError } from '@code-executor/platform';
import type { Visibility } from './store/execution-store.ts';

/** An agent sees its own executions, an operator and an admin those of the workspace. */
export const visibilityOf = (principal: Principal): Visibility =>
  principal.role === 'agent' ? { workspaceId: principal.workspaceId, principalId: principal.id } : { workspaceId: principal.workspaceId };

export const isVisible = (visible: Visibility, execution: { readonly workspaceId: string; readonly principalId: string }): boolean =>
  execution.workspaceId === visible.workspaceId && (visible.principalId === undefined || execution.principalId === visible.principalId);

/** Another principal's execution answers like one that never was. */
export const executionNotFound = (executionId: string): AppError =>
  new AppError('EXECUTION_NOT_FOUND', `There is no execution ${executionId.slice(0, 64)}.`);
