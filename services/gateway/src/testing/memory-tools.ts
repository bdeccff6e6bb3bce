import {
  type ApprovalVerdict,
  type ConnectionRecord,
  type Handoff,
  type IntegrationRecord,
  type NewPolicy,
  type NewSkill,
  newId,
  type PolicyChange,
  type PolicyPreview,
  type PolicyPreviewQuestion,
  type PolicyRecord,
  type Principal,
  type Skill,
  type ToolCallReply,
} from '@code-executor/contracts';
import { AppError } from '@code-executor/platform';
import type { ApprovalRecord, NewIntegration, SearchQuery, ToolAdministration, ToolInfo } from '@code-executor/tools';
import { MemoryConnections } from './memory-connections.ts';

/** A catalog of one server with one tool, in memory, for tests of the gateway alone. */
export class MemoryTools extends MemoryConnections implements ToolAdministration {
  readonly integrations = new Map<string, IntegrationRecord>([['notes', integrationOf('notes')]]);
  readonly approvals = new Map<string, ApprovalRecord>();
  readonly policies = new Map<string, PolicyRecord>();
  readonly invocations: unknown[] = [];
  readonly searches: SearchQuery[] = [];
  reply: ToolCallReply = { ok: true, value: { text: 'hello' } };
  /** While set, calls wait for their signal. */
  hangs = false;
  aborted = 0;

  listTools() {
    return {
      items: [{ server: 'notes', name: 'read', description: 'Reads a note', action: 'allow' as const }],
      total: 1,
      nextCursor: null,
    };
  }

  search(_principal: Principal, query: SearchQuery) {
    this.searches.push(query);
    return { items: { notes: ['read'] }, total: 1, tokens: 6, tokensSaved: 94, nextOffset: null };
  }

  async getHandoff(): Promise<Handoff> {
    throw new AppError('HANDOFF_NOT_FOUND', 'There is no such handoff');
  }

  async completeHandoff(): Promise<ConnectionRecord> {
    throw new AppError('HANDOFF_NOT_FOUND', 'There is no such handoff');
  }

  async listSkills() {
    return { items: [], total: 0, nextCursor: null };
  }

  async getSkill(_principal: Principal, name: string): Promise<Skill> {
    throw new AppError('SKILL_NOT_FOUND', `There is no skill ${name}`);
  }

  async saveSkill(principal: Principal, { parameters = {}, ...skill }: NewSkill): Promise<Skill> {
    const created = { createdAt: new Date(0).toISOString(), createdBy: principal.id };
    return { ...skill, parameters, version: 1, versions: [1], origin: 'api', ...created };
  }

  async removeSkill(_principal: Principal, name: string): Promise<void> {
    throw new AppError('SKILL_NOT_FOUND', `There is no skill ${name}`);
  }

  toolInfo(_principal: Principal, server: string, tool: string): ToolInfo {
    this.#judge(server, tool);
    return {
      server,
      name: tool,
      title: null,
      description: 'Reads a note',
      inputSchema: { type: 'object' },
      outputSchema: null,
      annotations: {},
      signature: 'read(args: { id: string }): Promise<unknown>',
      wrapper: { path: 'servers/notes/read.ts', source: '', pythonPath: 'servers/notes/read.py', pythonSource: '' },
      policy: { action: 'allow', reason: 'trusted' },
      example: { typescript: '', python: '' },
    };
  }

  async invoke(_principal: Principal, server: string, tool: string, args: unknown, signal: AbortSignal): Promise<ToolCallReply> {
    this.#judge(server, tool);
    this.invocations.push(args);
    if (!this.hangs) return this.reply;
    await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    this.aborted += 1;
    return { ok: false, error: { code: 'CALL_ABORTED', message: 'aborted' } };
  }

  listIntegrations() {
    return [...this.integrations.values()];
  }

  getIntegration(_principal: Principal, slug: string): IntegrationRecord {
    const record = this.integrations.get(slug);
    if (!record) throw new AppError('SERVER_NOT_FOUND', `There is no server "${slug}".`);
    return record;
  }

  async addIntegration(_principal: Principal, integration: NewIntegration): Promise<IntegrationRecord> {
    if (this.integrations.has(integration.slug)) throw new AppError('INTEGRATION_EXISTS', `"${integration.slug}" exists.`);
    const record = integrationOf(integration.slug);
    this.integrations.set(integration.slug, record);
    return record;
  }

  async detectIntegration(_principal: Principal, url: string) {
    return { kind: 'openapi' as const, why: 'OpenAPI 3.1', title: url, version: '1', operations: 1, baseUrl: null, warnings: [] };
  }

  async removeIntegration(principal: Principal, slug: string): Promise<void> {
    this.getIntegration(principal, slug);
    this.integrations.delete(slug);
  }

  async refreshIntegration(principal: Principal, slug: string) {
    return { ...this.getIntegration(principal, slug), added: ['read'], removed: [], changed: [] };
  }

  async listApprovals() {
    return { items: [...this.approvals.values()], total: this.approvals.size, nextCursor: null };
  }

  async getApproval(_principal: Principal, approvalId: string): Promise<ApprovalRecord> {
    const record = this.approvals.get(approvalId);
    if (!record) throw new AppError('APPROVAL_NOT_FOUND', `There is no approval ${approvalId}.`);
    return record;
  }

  async decideApproval(principal: Principal, approvalId: string, { decision }: ApprovalVerdict): Promise<ApprovalRecord> {
    const record = { ...(await this.getApproval(principal, approvalId)), status: decision === 'approve' ? 'approved' : 'denied' } as const;
    this.approvals.set(approvalId, record);
    return record;
  }

  async listPolicies() {
    return [...this.policies.values()];
  }

  async addPolicy(principal: Principal, policy: NewPolicy): Promise<PolicyRecord> {
    const at = new Date().toISOString();
    const { when = null, principal: whom = null, limits = null, note = null, ...rest } = policy;
    const record: PolicyRecord = {
      ...{ ...rest, id: newId('pol'), origin: 'operator', when, principal: whom, limits, note },
      ...{ createdAt: at, updatedAt: at, createdBy: principal.id },
    };
    this.policies.set(record.id, record);
    return record;
  }

  async changePolicy(_principal: Principal, policyId: string, change: PolicyChange): Promise<PolicyRecord> {
    const known = this.policies.get(policyId);
    if (known === undefined) throw new AppError('POLICY_NOT_FOUND', `There is no policy ${policyId}.`);
    const record = { ...known, action: change.action ?? known.action };
    this.policies.set(policyId, record);
    return record;
  }

  async removePolicy(_principal: Principal, policyId: string): Promise<void> {
    if (!this.policies.delete(policyId)) throw new AppError('POLICY_NOT_FOUND', `There is no policy ${policyId}.`);
  }

  async previewPolicy(_principal: Principal, { tool }: PolicyPreviewQuestion): Promise<PolicyPreview> {
    return { tool, action: 'allow', reason: 'trusted', decidedBy: null, limits: [], considered: [], omitted: 0 };
  }

  summary() {
    const servers = Object.fromEntries(this.listIntegrations().map(({ slug, state, reason }) => [slug, { state, tools: 1, reason }]));
    return { servers, totalTools: this.integrations.size };
  }

  #judge(server: string, tool: string): void {
    if (!this.integrations.has(server)) throw new AppError('SERVER_NOT_FOUND', `There is no server "${server}". Did you mean "notes"?`);
    if (tool !== 'read') throw new AppError('TOOL_NOT_FOUND', `The server "${server}" has no tool "${tool}". Did you mean "read"?`);
  }
}

function integrationOf(slug: string): IntegrationRecord {
  return {
    slug,
    kind: 'mcp',
    origin: 'api',
    state: 'ready',
    reason: null,
    progress: null,
    toolCount: 1,
    trust: 'annotations',
    warnings: [],
    restarts: 0,
    document: null,
  };
}
