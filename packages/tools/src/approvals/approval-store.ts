import type { ApprovalStatus } from '@code-executor/contracts';
import { type Kysely, type Selectable, sql } from 'kysely';
import type { ToolTables } from '../tables.ts';

export type ApprovalRow = Selectable<ToolTables['approvals']>;
export type NewApproval = Omit<
  ApprovalRow,
  'status' | 'decided_at' | 'decided_by' | 'scope' | 'reason' | 'self_approved' | 'consumed_at' | 'webhook_attempts'
>;

export interface ApprovalSelection {
  readonly workspaceId: string;
  readonly principalId?: string | undefined;
  readonly status?: ApprovalStatus | undefined;
  readonly executionId?: string | undefined;
}

const TOTAL_MAXIMUM = 10_000;
/** What was approved at the last moment has so long to be called, be it that a service has to start first. */
const APPROVED_GRACE_MS = 60 * 60 * 1_000;

export type ApprovalStore = ReturnType<typeof createApprovalStore>;

/** All SQL of approvals but that of their consumption, which stands beside the journal's. */
export function createApprovalStore(db: Kysely<ToolTables>) {
  return {
    /** The row of this call of this execution: the one that is there already, or this one. */
    async insertOnce(row: NewApproval): Promise<{ readonly row: ApprovalRow; readonly isNew: boolean }> {
      const written = await db
        .insertInto('approvals')
        .values({ ...row, status: 'pending' })
        .onConflict((conflict) => conflict.doNothing())
        .returningAll()
        .executeTakeFirst();
      if (written !== undefined) return { row: written, isNew: true };
      const known = await db
        .selectFrom('approvals')
        .selectAll()
        .where('execution_id', '=', row.execution_id)
        .where('call_number', '=', row.call_number)
        .executeTakeFirstOrThrow();
      return { row: known, isNew: false };
    },

    async ofCall(executionId: string, callNumber: number): Promise<ApprovalRow | null> {
      const row = await db
        .selectFrom('approvals')
        .selectAll()
        .where('execution_id', '=', executionId)
        .where('call_number', '=', callNumber)
        .executeTakeFirst();
      return row ?? null;
    },

    async find(id: string, workspaceId: string): Promise<ApprovalRow | null> {
      const row = await db
        .selectFrom('approvals')
        .selectAll()
        .where('id', '=', id)
        .where('workspace_id', '=', workspaceId)
        .executeTakeFirst();
      return row ?? null;
    },

    async isPending(id: string): Promise<boolean> {
      const row = await db.selectFrom('approvals').select('id').where('id', '=', id).where('status', '=', 'pending').executeTakeFirst();
      return row !== undefined;
    },

    /** An approval for the whole execution that covers this tool as it is defined now. */
    async standing(
      call: Pick<ApprovalRow, 'execution_id' | 'server' | 'tool' | 'connection' | 'principal_id' | 'definition_digest'>,
    ): Promise<boolean> {
      const row = await db
        .selectFrom('approvals')
        .select('id')
        .where('execution_id', '=', call.execution_id)
        .where('server', '=', call.server)
        .where('tool', '=', call.tool)
        .where('connection', 'is not distinct from', call.connection)
        .where('principal_id', '=', call.principal_id)
        .where('definition_digest', '=', call.definition_digest)
        .where('scope', 'in', ['execution', 'always'])
        .where('status', 'in', ['approved', 'consumed'])
        .limit(1)
        .executeTakeFirst();
      return row !== undefined;
    },

    /** When the first approval of this execution was asked for; null: none was. */
    async firstAskedAt(executionId: string): Promise<Date | null> {
      const row = await db
        .selectFrom('approvals')
        .select(({ fn }) => fn.min('created_at').as('first'))
        .where('execution_id', '=', executionId)
        .executeTakeFirst();
      return (row?.first as Date | null | undefined) ?? null;
    },

    async list(
      { workspaceId, principalId, status, executionId }: ApprovalSelection,
      { limit, cursor }: { readonly limit: number; readonly cursor?: string | undefined },
    ): Promise<{ readonly rows: ApprovalRow[]; readonly total: number; readonly nextCursor: string | null }> {
      let matching = db.selectFrom('approvals').where('workspace_id', '=', workspaceId);
      if (principalId !== undefined) matching = matching.where('principal_id', '=', principalId);
      if (status !== undefined) matching = matching.where('status', '=', status);
      if (executionId !== undefined) matching = matching.where('execution_id', '=', executionId);
      const counted = matching.select('id').limit(TOTAL_MAXIMUM).as('counted');
      const count = await db.selectFrom(counted).select(db.fn.countAll().as('total')).executeTakeFirstOrThrow();
      const older = cursor === undefined ? matching : matching.where('id', '<', cursor);
      const rows = await older
        .selectAll()
        .orderBy('id', 'desc')
        .limit(limit + 1)
        .execute();
      const last = rows.length > limit ? rows[limit - 1] : undefined;
      return { rows: rows.slice(0, limit), total: Number(count.total), nextCursor: last?.id ?? null };
    },

    /** null: it is not pending any more, or its time is up. */
    async decide(
      id: string,
      decided: Pick<ApprovalRow, 'status' | 'decided_by' | 'scope' | 'reason' | 'self_approved'>,
      at: Date,
    ): Promise<ApprovalRow | null> {
      const row = await db
        .updateTable('approvals')
        .set({ ...decided, decided_at: at, webhook_due_at: null })
        .where('id', '=', id)
        .where('status', '=', 'pending')
        .where('expires_at', '>', at)
        .returningAll()
        .executeTakeFirst();
      return row ?? null;
    },

    /** Answers those whose time is up and that this call has expired. */
    async expire(at: Date): Promise<ApprovalRow[]> {
      return await db
        .updateTable('approvals')
        .set({ status: 'expired', decided_at: at, webhook_due_at: null })
        .where(({ and, eb, or }) =>
          or([
            and([eb('status', '=', 'pending'), eb('expires_at', '<=', at)]),
            and([eb('status', '=', 'approved'), eb('expires_at', '<=', new Date(at.getTime() - APPROVED_GRACE_MS))]),
          ]),
        )
        .returningAll()
        .execute();
    },

    /** Of these executions: nothing of theirs will be called any more. */
    async cancelOf(executionIds: readonly string[], reason: string, at: Date): Promise<ApprovalRow[]> {
      if (executionIds.length === 0) return [];
      return await db
        .updateTable('approvals')
        .set({ status: 'cancelled', reason, decided_at: at, webhook_due_at: null })
        .where('execution_id', 'in', executionIds)
        .where('status', 'in', ['pending', 'approved'])
        .returningAll()
        .execute();
    },

    /** What was approved must not be called any more. */
    async void(id: string, reason: string, at: Date): Promise<void> {
      await db
        .updateTable('approvals')
        .set({ status: 'cancelled', reason, decided_at: at, webhook_due_at: null })
        .where('id', '=', id)
        .where('status', 'in', ['pending', 'approved'])
        .execute();
    },

    /** Executions of which something is pending, or approved and not made yet. */
    async openExecutions(limit: number): Promise<string[]> {
      const rows = await db
        .selectFrom('approvals')
        .select('execution_id')
        .distinct()
        .where('status', 'in', ['pending', 'approved'])
        .limit(limit)
        .execute();
      return rows.map((row) => row.execution_id);
    },

    /** Which of these are pending no more, or are not there. */
    async decidedAmong(approvalIds: readonly string[]): Promise<string[]> {
      if (approvalIds.length === 0) return [];
      const rows = await db.selectFrom('approvals').select('id').where('id', 'in', approvalIds).where('status', '=', 'pending').execute();
      const pending = new Set(rows.map((row) => row.id));
      return approvalIds.filter((id) => !pending.has(id));
    },

    /** Deletes what was decided and is older; answers how many it were. */
    async purge(before: Date, limit: number): Promise<number> {
      const rows = await db
        .deleteFrom('approvals')
        .where('id', 'in', (query) =>
          query
            .selectFrom('approvals')
            .select('id')
            .where('status', 'not in', ['pending', 'approved'])
            .where('created_at', '<', before)
            .orderBy('id')
            .limit(limit),
        )
        .returning('id')
        .execute();
      return rows.length;
    },

    /** Of one principal, of a workspace, or of all. */
    async countPending(of?: { readonly workspaceId: string; readonly principalId?: string }): Promise<number> {
      let pending = db
        .selectFrom('approvals')
        .select(({ fn }) => fn.countAll().as('count'))
        .where('status', '=', 'pending');
      if (of !== undefined) pending = pending.where('workspace_id', '=', of.workspaceId);
      if (of?.principalId !== undefined) pending = pending.where('principal_id', '=', of.principalId);
      const { count } = await pending.executeTakeFirstOrThrow();
      return Number(count);
    },

    /** Takes the next webhooks that are due, so that no other process takes them before `nextDueAt`. */
    async takeWebhooks(at: Date, nextDueAt: Date, limit: number): Promise<ApprovalRow[]> {
      return await db
        .updateTable('approvals')
        .set({ webhook_due_at: nextDueAt, webhook_attempts: sql<number>`webhook_attempts + 1` })
        .where('id', 'in', (query) =>
          query
            .selectFrom('approvals')
            .select('id')
            .where('webhook_due_at', '<=', at)
            .orderBy('webhook_due_at')
            .limit(limit)
            .forUpdate()
            .skipLocked(),
        )
        .returningAll()
        .execute();
    },

    /** null: there is no next time. */
    async setWebhookDue(id: string, dueAt: Date | null): Promise<void> {
      await db
        .updateTable('approvals')
        .set({ webhook_due_at: dueAt })
        .where('id', '=', id)
        .where('webhook_due_at', 'is not', null)
        .execute();
    },
  };
}
