import type { NewPolicy, PolicyChange, PolicyRecord } from '@code-executor/contracts';
import { AppError } from '@code-executor/platform';
import type { Kysely } from 'kysely';
import type { CatalogTool } from '../catalog/catalog.ts';
import { createTurn } from '../in-turn.ts';
import type { ToolTables } from '../tables.ts';
import { type CallDecision, decideCall, decideTool, type PolicyDecision } from './decide.ts';
import { createPolicyStore, policyNotFound } from './policy-store.ts';
import { compileRule, type PolicyCall, type Rule } from './rule.ts';
import { indexRules, type RuleIndex } from './rule-index.ts';
import type { Trust } from './source-default.ts';

export type { Trust } from './source-default.ts';

/** The rules of one workspace, in memory; the database holds them. */
export interface Policies {
  /** What holds for the tool whoever calls it: for the catalog, search and wrappers. */
  decide(entry: CatalogTool, trust: Trust): PolicyDecision;
  /** What holds for one call. */
  decide(entry: CatalogTool, trust: Trust, call: PolicyCall): CallDecision;
  index(): RuleIndex;
  list(): readonly PolicyRecord[];
  /** @throws AppError POLICY_NOT_FOUND */
  get(policyId: string): PolicyRecord;
  /** A rule for the same pattern, conditions and principals is replaced. @throws AppError INVALID_REQUEST for what does not parse. */
  add(policy: NewPolicy, createdBy?: string | null): Promise<PolicyRecord>;
  /** @throws AppError POLICY_NOT_FOUND, POLICY_EXISTS, INVALID_REQUEST */
  change(policyId: string, change: PolicyChange): Promise<PolicyRecord>;
  /** @throws AppError POLICY_NOT_FOUND */
  remove(policyId: string): Promise<void>;
  /** Takes over what another process has changed in the meantime. Answers whether there was anything. */
  reload(): Promise<boolean>;
}

/** More would be nobody's to oversee. */
const MOST_RULES = 10_000;

export async function createPolicies(db: Kysely<ToolTables>, workspaceId: string, now: () => number): Promise<Policies> {
  const store = createPolicyStore(db, workspaceId, now);
  const inTurn = createTurn();
  let records: readonly PolicyRecord[] = [];
  let compiled = new Map<PolicyRecord, readonly Rule[]>();
  let index = indexRules([]);
  take(await store.load());

  function take(next: readonly PolicyRecord[]): void {
    compiled = new Map(next.map((record) => [record, compiled.get(record) ?? compileRule(record)]));
    records = next;
    index = indexRules([...compiled.values()].flat());
  }

  function get(policyId: string): PolicyRecord {
    const record = records.find(({ id }) => id === policyId);
    if (record === undefined) throw policyNotFound(policyId);
    return record;
  }

  async function add(policy: NewPolicy, createdBy: string | null): Promise<PolicyRecord> {
    check(policy);
    if (records.length >= MOST_RULES) throw new AppError('INVALID_REQUEST', `There are ${MOST_RULES} policies already; remove some first`);
    const { record, replaced } = await store.put(policy, createdBy);
    take([...records.filter(({ id }) => id !== replaced), record]);
    return record;
  }

  async function change(policyId: string, { pattern, action, when, principal, limits, note }: PolicyChange): Promise<PolicyRecord> {
    const before = get(policyId);
    const changed: PolicyRecord = {
      ...before,
      pattern: pattern ?? before.pattern,
      action: action ?? before.action,
      when: when === undefined ? before.when : when,
      principal: principal === undefined ? before.principal : principal,
      limits: limits === undefined ? before.limits : limits,
      note: note === undefined ? before.note : note,
    };
    check(changed);
    const record = await store.update(changed);
    take(records.map((known) => (known.id === policyId ? record : known)));
    return record;
  }

  async function remove(policyId: string): Promise<void> {
    get(policyId);
    await store.remove(policyId);
    take(records.filter(({ id }) => id !== policyId));
  }

  async function reload(): Promise<boolean> {
    const stored = await store.load();
    if (JSON.stringify(stored) === JSON.stringify(records)) return false;
    take(stored);
    return true;
  }

  function decide(entry: CatalogTool, trust: Trust): PolicyDecision;
  function decide(entry: CatalogTool, trust: Trust, call: PolicyCall): CallDecision;
  function decide(entry: CatalogTool, trust: Trust, call?: PolicyCall): PolicyDecision | CallDecision {
    return call === undefined ? decideTool(index, entry, trust) : decideCall(index, entry, trust, call);
  }

  return {
    decide,
    index: () => index,
    list: () => records,
    get,
    add: (policy, createdBy = null) => inTurn(() => add(policy, createdBy)),
    change: (policyId, what) => inTurn(() => change(policyId, what)),
    remove: (policyId) => inTurn(() => remove(policyId)),
    reload: () => inTurn(reload),
  };
}

/** @throws AppError INVALID_REQUEST */
function check({ pattern, action, when = null, principal = null, limits = null }: NewPolicy | PolicyRecord): void {
  if (action === 'limit' && limits === null)
    throw new AppError('INVALID_REQUEST', 'limits: a policy with the action limit needs perMinute, perExecution or perDay');
  compileRule({ ...DRAFT, pattern, action, when, principal, limits });
}

const DRAFT: PolicyRecord = {
  ...{ id: '', origin: 'operator', pattern: '*', action: 'block', when: null, principal: null, limits: null },
  ...{ note: null, createdAt: null, updatedAt: null, createdBy: null },
};
