import { hash } from 'node:crypto';
import { type NewPolicy, newId, newPolicySchema, type PolicyRecord } from '@code-executor/contracts';
import { AppError } from '@code-executor/platform';
import type { Insertable, Kysely, Selectable } from 'kysely';
import { canonicalJson } from '../calls/canonical-json.ts';
import type { ToolTables } from '../tables.ts';

type PolicyRow = Selectable<ToolTables['policies']>;

export interface PolicyStore {
  load(): Promise<readonly PolicyRecord[]>;
  /** The one of the same pattern, conditions and principals is replaced. */
  put(policy: NewPolicy, createdBy: string | null): Promise<{ readonly record: PolicyRecord; readonly replaced: string | null }>;
  /** @throws AppError POLICY_EXISTS where another rule is the same then. */
  update(record: PolicyRecord): Promise<PolicyRecord>;
  remove(policyId: string): Promise<void>;
}

export function createPolicyStore(db: Kysely<ToolTables>, workspaceId: string, now: () => number): PolicyStore {
  return {
    async load() {
      const rows = await db
        .selectFrom('policies')
        .selectAll()
        .where('workspace_id', '=', workspaceId)
        .orderBy('created_at')
        .orderBy('id')
        .execute();
      return rows.map(recordOf);
    },

    async put(policy, createdBy) {
      const at = new Date(now());
      const { id, ...row } = {
        ...{ id: newId('pol', now()), workspace_id: workspaceId, created_by: createdBy, created_at: at, updated_at: at },
        ...columnsOf({
          ...policy,
          when: policy.when ?? null,
          principal: policy.principal ?? null,
          limits: policy.limits ?? null,
          note: policy.note ?? null,
        }),
      } satisfies Insertable<ToolTables['policies']>;
      const before = await db
        .selectFrom('policies')
        .select('id')
        .where('workspace_id', '=', workspaceId)
        .where('rule_key', '=', row.rule_key)
        .executeTakeFirst();
      const written = await db
        .insertInto('policies')
        .values({ id, ...row })
        .onConflict((conflict) => conflict.columns(['workspace_id', 'rule_key']).doUpdateSet({ id, ...row }))
        .returningAll()
        .executeTakeFirstOrThrow();
      return { record: recordOf(written), replaced: before?.id ?? null };
    },

    async update(record) {
      const columns = columnsOf(record);
      const same = await db
        .selectFrom('policies')
        .select('id')
        .where('workspace_id', '=', workspaceId)
        .where('rule_key', '=', columns.rule_key)
        .where('id', '!=', record.id)
        .executeTakeFirst();
      if (same !== undefined) throw new AppError('POLICY_EXISTS', `${same.id} has this pattern with the same conditions and principals`);
      const row = await db
        .updateTable('policies')
        .set({ ...columns, updated_at: new Date(now()) })
        .where('workspace_id', '=', workspaceId)
        .where('id', '=', record.id)
        .returningAll()
        .executeTakeFirst();
      if (row === undefined) throw policyNotFound(record.id);
      return recordOf(row);
    },

    async remove(policyId) {
      await db.deleteFrom('policies').where('workspace_id', '=', workspaceId).where('id', '=', policyId).execute();
    },
  };
}

export const policyNotFound = (policyId: string): AppError =>
  new AppError('POLICY_NOT_FOUND', `No policy ${policyId.slice(0, 60)}; GET /policies lists them`);

type Columns = Pick<PolicyRow, 'pattern' | 'action' | 'when_json' | 'principal_json' | 'limits_json' | 'note' | 'rule_key'>;

function columnsOf(rule: Pick<PolicyRecord, 'pattern' | 'action' | 'when' | 'principal' | 'limits' | 'note'>): Columns {
  const { pattern, action, limits, note } = rule;
  const when = rule.when === null ? null : canonicalJson(rule.when);
  const principal = rule.principal === null ? null : canonicalJson([...new Set(rule.principal)].sort());
  const isPlain = when === null && principal === null && action !== 'limit';
  return {
    pattern,
    action,
    when_json: when,
    principal_json: principal,
    limits_json: limits === null ? null : canonicalJson(limits),
    note,
    rule_key: isPlain ? pattern : `${pattern}\n${hash('sha256', canonicalJson([when, principal, action === 'limit']))}`,
  };
}

const storedShape = newPolicySchema.shape;

/** What is stored is read as strictly as what comes in. */
function recordOf(row: PolicyRow): PolicyRecord {
  return {
    id: row.id,
    origin: 'operator',
    pattern: row.pattern,
    action: storedShape.action.parse(row.action),
    when: row.when_json === null ? null : (storedShape.when.parse(JSON.parse(row.when_json)) ?? null),
    principal: row.principal_json === null ? null : (storedShape.principal.parse(JSON.parse(row.principal_json)) ?? null),
    limits: row.limits_json === null ? null : (storedShape.limits.parse(JSON.parse(row.limits_json)) ?? null),
    note: row.note,
    createdAt: row.created_at.toISOString(),
    updatedAt: row.updated_at.toISOString(),
    createdBy: row.created_by,
  };
}
