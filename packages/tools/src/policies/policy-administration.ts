import {
  allowsServer,
  type NewPolicy,
  type PolicyChange,
  type PolicyPreview,
  type PolicyRecord,
  type Principal,
  ROLES,
  serversOf,
} from '@code-executor/contracts';
import { AppError } from '@code-executor/platform';
import type { Audit } from '../audit/port.ts';
import { canonicalJson } from '../calls/canonical-json.ts';
import { assertAct, assertServer, type FindPrincipal } from '../calls/may-call.ts';
import type { Catalog } from '../catalog/catalog.ts';
import { splitAddress } from '../catalog/tool-address.ts';
import type { ToolResolver } from '../catalog/tool-resolver.ts';
import { matchesPattern, parsePattern } from './pattern.ts';
import type { Policies } from './policies.ts';
import type { PolicyAdministration } from './port.ts';
import { previewCall } from './preview.ts';
import { sourceRule, type Trust } from './source-default.ts';
import { type CallPrincipal, parseSubject } from './subject.ts';

export interface PolicyAdministrationDependencies {
  readonly catalog: Catalog;
  readonly policies: Policies;
  readonly resolver: Pick<ToolResolver, 'find'>;
  /** Every server with its trust. */
  trusts(): ReadonlyMap<string, Trust>;
  readonly findPrincipal: FindPrincipal;
  /** As calls find it: the default one included. @throws AppError CONNECTION_NOT_FOUND */
  connectionOf(integration: string, named: string | null, principalId: string): string | null;
  readonly audit: Pick<Audit, 'record'>;
  /** A change is in the database: others are told, and what is visible follows. */
  changed(): Promise<void>;
}

/** With what an approval for always writes. */
export interface LocalPolicyAdministration extends PolicyAdministration {
  allowAlways(principal: Principal, pattern: string): Promise<void>;
}

export function createPolicyAdministration(deps: PolicyAdministrationDependencies): LocalPolicyAdministration {
  const { catalog, policies, resolver } = deps;
  return {
    async listPolicies(_principal, { derived = false } = {}) {
      if (!derived) return policies.list();
      const sources = [...deps.trusts()].map(([slug, trust]) => sourceRule(slug, trust, catalog.tools(slug).values()));
      return [...policies.list(), ...sources];
    },

    addPolicy: add,
    async allowAlways(principal, pattern) {
      const { id } = await add(principal, { pattern, action: 'allow' });
      await deps.audit.record({ type: 'policy.create', principal, target: id, details: { pattern, action: 'allow', by: 'approval' } });
    },

    async changePolicy(principal, policyId, change: PolicyChange) {
      const before = policies.get(operatorsOwn(policyId));
      for (const pattern of [before.pattern, change.pattern ?? before.pattern]) mayWrite(principal, 'change', pattern);
      const record = await policies.change(policyId, change);
      await acceptCovered(record);
      await deps.changed();
      return record;
    },

    async removePolicy(principal, policyId) {
      mayWrite(principal, 'remove', policies.get(operatorsOwn(policyId)).pattern);
      await policies.remove(policyId);
      await deps.changed();
    },

    async previewPolicy(principal, { tool, arguments: args = {}, principal: whom, connection }) {
      const asked = whom === undefined ? principal : await principalNamed(whom);
      if (principal.role === 'agent' && asked.id !== principal.id)
        throw new AppError('FORBIDDEN', 'An agent may preview its own calls only: leave principal out');
      fitsArguments(args);
      const { entry } = resolver.find(tool);
      assertServer(principal, entry.tool.server);
      const trust = deps.trusts().get(entry.tool.server) ?? false;
      const named = connection ?? splitAddress(tool).connection;
      const call = { args, principal: asked, connection: deps.connectionOf(entry.tool.server, named, asked.id) };
      const preview = previewCall(policies.index(), entry, trust, call);
      return principal.role === 'agent' ? forAgent(preview) : preview;
    },
  };

  async function add(principal: Principal, policy: NewPolicy): Promise<PolicyRecord> {
    mayWrite(principal, 'add', policy.pattern);
    const record = await policies.add(policy, principal.id);
    await acceptCovered(record);
    await deps.changed();
    return record;
  }

  /** The operator has looked: what an allow for everybody covers is taken as it is now. */
  async function acceptCovered({ action, pattern: text, when, principal }: PolicyRecord): Promise<void> {
    const pattern = parsePattern(text);
    if (action !== 'allow' || when !== null || principal !== null || pattern.connection !== null) return;
    const covered = [...catalog.servers().values()]
      .flatMap((tools) => [...tools.values()])
      .filter(({ tool }) => matchesPattern(pattern, `${tool.server}.${tool.name}`));
    await catalog.accept(covered);
  }

  async function principalNamed(text: string): Promise<CallPrincipal> {
    const { kind, value } = parseSubject(text);
    if (kind === 'id') return (await deps.findPrincipal(value)) ?? { id: value };
    if (kind === 'name') return { id: '', name: value };
    const role = ROLES.find((known) => known === value);
    return role === undefined ? { id: '' } : { id: '', role };
  }
}

/** Whom else a rule is for, and why it is there, is not for agents. */
function forAgent(preview: PolicyPreview): PolicyPreview {
  const { decidedBy, considered } = preview;
  return {
    ...preview,
    decidedBy: decidedBy === null ? null : { ...decidedBy, principal: null, note: null, createdBy: null },
    considered: considered.filter(({ applies }) => applies),
  };
}

/** @throws AppError FORBIDDEN */
function mayWrite(principal: Principal, act: string, pattern: string): void {
  const { role, scopes } = principal;
  assertAct(principal, 'policies:write');
  if (role === 'agent') throw new AppError('FORBIDDEN', `The role agent may not ${act} policies; it takes admin or operator`);
  const { segments } = parsePattern(pattern);
  if (!allowsServer(scopes, segments[0] ?? '*'))
    throw new AppError('FORBIDDEN', `This key is for ${serversOf(scopes)?.join(', ')} only: ${pattern.slice(0, 100)} reaches further`);
}

function operatorsOwn(policyId: string): string {
  if (policyId.startsWith('source:'))
    throw new AppError(
      'INVALID_REQUEST',
      'What follows from a server is changed at the server: its trust, or a rule of yours that covers it',
    );
  return policyId;
}

/** @throws AppError INVALID_ARGUMENTS for what no call could carry. */
function fitsArguments(args: unknown): void {
  try {
    canonicalJson(args);
  } catch (error) {
    throw new AppError('INVALID_ARGUMENTS', 'The arguments nest too deep', { cause: error });
  }
}
