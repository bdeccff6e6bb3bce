import type { Principal } from '@code-executor/contracts';
import type { KeyRecord } from '../port.ts';

export interface WorkspaceRecord {
  readonly id: string;
  readonly name: string;
  readonly createdAt: string;
  /** The operator's own, whose admins make and remove the others. */
  readonly home: boolean;
}

/** How many of each kind a workspace has. */
export type WorkspaceHoldings = Readonly<Record<string, number>>;

/** Tenants. Whose key belongs to a workspace sees that one alone; admins of the home workspace see that there are others. */
export interface Workspaces {
  /** More than the home one are there, as far as this process knows. */
  areSeveral(): boolean;
  /** With its first admin key, which is answered this once. @throws AppError FORBIDDEN, WORKSPACE_EXISTS, WORKSPACE_LIMIT, INVALID_REQUEST */
  create(principal: Principal, name: string): Promise<WorkspaceRecord & { readonly adminKey: KeyRecord & { readonly key: string } }>;
  /** Those that the principal may see, in the order they were made. */
  list(principal: Principal): Promise<WorkspaceRecord[]>;
  /** @throws AppError WORKSPACE_NOT_FOUND */
  get(principal: Principal, workspaceId: string): Promise<WorkspaceRecord & { readonly holds: WorkspaceHoldings }>;
  /** @throws AppError WORKSPACE_NOT_FOUND, WORKSPACE_EXISTS, INVALID_REQUEST */
  rename(principal: Principal, workspaceId: string, name: string): Promise<WorkspaceRecord>;
  /** Another admin key, for who has lost theirs. @throws AppError FORBIDDEN, WORKSPACE_NOT_FOUND, INVALID_REQUEST */
  createAdminKey(principal: Principal, workspaceId: string, name: string): Promise<KeyRecord & { readonly key: string }>;
  /**
   * From its answer on no key of it works and nobody sees it; what it had is cancelled and deleted behind it, also where the process dies.
   * `everything`: even though it holds something. @throws AppError FORBIDDEN, WORKSPACE_NOT_FOUND, WORKSPACE_NOT_EMPTY saying what it holds.
   */
  remove(principal: Principal, workspaceId: string, options: { readonly everything: boolean }): Promise<void>;
}

/** A table whose rows belong to workspaces by their column `workspace_id`. */
export interface HoldingTable {
  readonly table: string;
  /** What its rows are called where they are counted; absent: nobody would miss them. */
  readonly counted?: string | undefined;
  /** A condition on rows that are counted, as SQL without parameters. */
  readonly countedWhere?: string | undefined;
}
