import { DEFAULT_WORKSPACE_ID, type Principal } from '@code-executor/contracts';
import { AppError } from '@code-executor/platform';
import type { ApprovalsAdministration } from '../approvals/port.ts';
import type { ToolAdministration } from '../port.ts';
import type { OpenWorkspaces } from './open-workspaces.ts';
import type { WorkspaceTools } from './workspace-tools.ts';

/** Each question goes to the workspace of who asks. The home one is always open, and asked without a detour. */
export function delegatedAdministration(
  home: WorkspaceTools,
  workspaces: OpenWorkspaces<WorkspaceTools>,
  /** Whose consent page a browser comes back from; null: it cannot be told. */
  workspaceOfConsent: (parameters: Readonly<Record<string, string>>) => Promise<string | null>,
): Omit<ToolAdministration, keyof ApprovalsAdministration | 'summary'> {
  const at = <Answer>({ workspaceId }: Pick<Principal, 'workspaceId'>, act: (tools: WorkspaceTools) => Answer) =>
    workspaceId === DEFAULT_WORKSPACE_ID ? act(home) : workspaces.use(workspaceId, act);
  /** For what answers later anyway. */
  const later = <Answer>({ workspaceId }: Pick<Principal, 'workspaceId'>, act: (tools: WorkspaceTools) => Promise<Answer>) =>
    workspaceId === DEFAULT_WORKSPACE_ID ? act(home) : workspaces.use(workspaceId, act);

  return {
    listTools: (principal, page) => at(principal, (tools) => tools.listTools(principal, page)),
    search: (principal, query) => at(principal, (tools) => tools.search(principal, query)),
    toolInfo: (principal, server, tool) => at(principal, (tools) => tools.toolInfo(principal, server, tool)),
    invoke: (principal, server, tool, args, signal, options) =>
      later(principal, (tools) => tools.invoke(principal, server, tool, args, signal, options)),

    listIntegrations: (principal) => at(principal, (tools) => tools.listIntegrations(principal)),
    getIntegration: (principal, slug) => at(principal, (tools) => tools.getIntegration(principal, slug)),
    addIntegration: (principal, integration) => later(principal, (tools) => tools.addIntegration(principal, integration)),
    detectIntegration: (principal, url) => later(principal, (tools) => tools.detectIntegration(principal, url)),
    removeIntegration: (principal, slug) => later(principal, (tools) => tools.removeIntegration(principal, slug)),
    refreshIntegration: (principal, slug, change) => later(principal, (tools) => tools.refreshIntegration(principal, slug, change)),

    listConnections: (principal, query) => later(principal, (tools) => tools.listConnections(principal, query)),
    getConnection: (principal, id) => later(principal, (tools) => tools.getConnection(principal, id)),
    addConnection: (principal, connection) => later(principal, (tools) => tools.addConnection(principal, connection)),
    changeConnection: (principal, id, change) => later(principal, (tools) => tools.changeConnection(principal, id, change)),
    removeConnection: (principal, id) => later(principal, (tools) => tools.removeConnection(principal, id)),
    validateConnection: (principal, id, signal) => later(principal, (tools) => tools.validateConnection(principal, id, signal)),
    startAuthorization: (principal, id, uri) => later(principal, (tools) => tools.startAuthorization(principal, id, uri)),
    async finishAuthorization(parameters) {
      const workspaceId = (await workspaceOfConsent(parameters)) ?? DEFAULT_WORKSPACE_ID;
      return await later({ workspaceId }, (tools) => tools.finishAuthorization(parameters));
    },
    listProviders: (principal) => later(principal, (tools) => tools.listProviders(principal)),
    async resealSecrets(principal, newKey) {
      // The key seals the secrets of all.
      if (principal.workspaceId !== DEFAULT_WORKSPACE_ID)
        throw new AppError('FORBIDDEN', "The seal key is the operator's: it is rotated by an admin of the default workspace");
      const resealed = await home.resealSecrets(principal, newKey);
      await workspaces.reload();
      return resealed;
    },

    getHandoff: (principal, id) => later(principal, (tools) => tools.getHandoff(principal, id)),
    completeHandoff: (principal, id, values) => later(principal, (tools) => tools.completeHandoff(principal, id, values)),

    listPolicies: (principal, query) => later(principal, (tools) => tools.listPolicies(principal, query)),
    addPolicy: (principal, policy) => later(principal, (tools) => tools.addPolicy(principal, policy)),
    changePolicy: (principal, id, change) => later(principal, (tools) => tools.changePolicy(principal, id, change)),
    removePolicy: (principal, id) => later(principal, (tools) => tools.removePolicy(principal, id)),
    previewPolicy: (principal, question) => later(principal, (tools) => tools.previewPolicy(principal, question)),

    listSkills: (principal, page) => later(principal, (tools) => tools.listSkills(principal, page)),
    getSkill: (principal, name, version) => later(principal, (tools) => tools.getSkill(principal, name, version)),
    saveSkill: (principal, skill) => later(principal, (tools) => tools.saveSkill(principal, skill)),
    removeSkill: (principal, name) => later(principal, (tools) => tools.removeSkill(principal, name)),
  };
}
