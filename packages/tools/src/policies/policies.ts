import { newId, type PolicyAction } from '@code-executor/contracts';
import { AppError } from '@code-executor/platform';
import type { Kysely } from 'kysely';
import type { CatalogTool } from '../catalog/catalog.ts';
import { createTurn } from '../in-turn.ts';
import type { PolicyRecord } from '../port.ts';
import type { ToolTables } from '../tables.ts';
import { compareSpecificity, matchesPattern, type PolicyPattern, parsePattern } from './pattern.ts';

export interface PolicyDecision {
  readonly action: PolicyAction;
  /** In a sentence, for the operator and for whoever is refused. */
  readonly reason: string;
}

export type Trust = boolean | 'annotations';

/** The rules of one workspace, in memory; the database holds them. */
export interface Policies {
  decide(entry: CatalogTool, trust: Trust): PolicyDecision;
  list(): readonly PolicyRecord[];
  /** A rule for the same pattern is replaced. @throws AppError INVALID_REQUEST for a pattern that does not parse. */
  add(policy: { readonly pattern: string; readonly action: PolicyAction }): Promise<PolicyRecord>;
  /** @throws AppError POLICY_NOT_FOUND */
  remove(policyId: string): Promise<void>;
  /** Takes over what another process has changed in the meantime. Answers whether there was anything. */
  reload(): Promise<boolean>;
}

interface Rule {
  readonly record: PolicyRecord;
  readonly pattern: PolicyPattern;
}

export async function createPolicies(db: Kysely<ToolTables>, workspaceId: string, now: () => number): Promise<Policies> {
  let rules = await readRules(db, workspaceId);
  const inTurn = createTurn();

  return {
    decide: (entry, trust) => decide(rules, entry, trust),
    list: () => rules.map((rule) => rule.record),
    add: ({ pattern: text, action }) => inTurn(() => add(text, action)),
    remove: (policyId) => inTurn(() => remove(policyId)),
    reload: () => inTurn(reload),
  };

  async function add(text: string, action: PolicyAction): Promise<PolicyRecord> {
    const pattern = parsePattern(text);
    const createdAt = new Date(now());
    const row = { id: newId('pol', now()), workspace_id: workspaceId, pattern: text, action, created_at: createdAt };
    await db
      .insertInto('policies')
      .values(row)
      .onConflict((conflict) => conflict.columns(['workspace_id', 'pattern']).doUpdateSet({ id: row.id, action, created_at: createdAt }))
      .execute();
    const record = { id: row.id, pattern: text, action, createdAt: createdAt.toISOString() };
    rules = [...rules.filter((rule) => rule.pattern.text !== text), { record, pattern }];
    return record;
  }

  async function remove(policyId: string): Promise<void> {
    if (!rules.some((rule) => rule.record.id === policyId)) throw new AppError('POLICY_NOT_FOUND', `No policy ${policyId.slice(0, 60)}`);
    await db.deleteFrom('policies').where('workspace_id', '=', workspaceId).where('id', '=', policyId).execute();
    rules = rules.filter((rule) => rule.record.id !== policyId);
  }

  async function reload(): Promise<boolean> {
    const stored = await readRules(db, workspaceId);
    if (JSON.stringify(stored) === JSON.stringify(rules)) return false;
    rules = stored;
    return true;
  }
}

async function readRules(db: Kysely<ToolTables>, workspaceId: string): Promise<readonly Rule[]> {
  const rows = await db
    .selectFrom('policies')
    .selectAll()
    .where('workspace_id', '=', workspaceId)
    .orderBy('created_at')
    .orderBy('id')
    .execute();
  return rows.map((row) => ({
    record: { id: row.id, pattern: row.pattern, action: row.action as PolicyAction, createdAt: row.created_at.toISOString() },
    pattern: parsePattern(row.pattern),
  }));
}

function decide(rules: readonly Rule[], { tool, driftedAt }: CatalogTool, trust: Trust): PolicyDecision {
  const address = `${tool.server}.${tool.name}`;
  let best: Rule | null = null;
  for (const rule of rules) {
    if (matchesPattern(rule.pattern, address) && (best === null || compareSpecificity(rule.pattern, best.pattern) < 0)) best = rule;
  }
  if (best !== null && best.record.action !== 'allow') return { action: best.record.action, reason: `policy ${best.pattern.text}` };
  if (driftedAt !== null && trust !== true) {
    return {
      action: 'require_approval',
      reason: `its definition changed on ${driftedAt.toISOString()}; adding an allow policy that covers it accepts the new one`,
    };
  }
  if (best !== null) return { action: 'allow', reason: `policy ${best.pattern.text}` };
  if (trust === true) return { action: 'allow', reason: `${tool.server} is trusted` };
  if (trust === 'annotations' && tool.annotations?.readOnlyHint === true)
    return { action: 'allow', reason: 'it declares itself read-only' };
  return {
    action: 'require_approval',
    reason: trust === false ? `${tool.server} is not trusted` : 'it does not declare itself read-only',
  };
}
