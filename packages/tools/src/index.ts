export { registerApprovalMetrics } from './approvals/approval-metrics.ts';
export type { ApprovalEvent, ApprovalSettings } from './approvals/approvals.ts';
export type { ApprovalPage, ApprovalRecord, ApprovalsAdministration } from './approvals/port.ts';
export { approvalSettings, approvalSettingsOf } from './approvals/settings.ts';
export { createAudit } from './audit/audit.ts';
export type { Audit, AuditEvent, AuditFilter } from './audit/port.ts';
export { registerCallMetrics } from './calls/call-metrics.ts';
export type { ToolCallEvent } from './calls/watch-calls.ts';
export type {
  AuthorizationEnd,
  AuthorizationStart,
  ConnectionAdministration,
  ConnectionPage,
  ResealedSecrets,
} from './connections/port.ts';
export { readSecretSettings, secretSettings } from './connections/secret-settings.ts';
export { adminToolSettings } from './executor/settings.ts';
export type { IntegrationChange, NewIntegration } from './integrations/port.ts';
export { toolMigrations } from './migrations.ts';
export { createOutboundHttp } from './outbound/outbound-http.ts';
export type { GuardedHttp } from './outbound/port.ts';
export { outboundSettings } from './outbound/settings.ts';
export { decideCall } from './policies/decide.ts';
export { compileRule } from './policies/rule.ts';
export { indexRules } from './policies/rule-index.ts';
export type {
  IntegrationState,
  LocalToolAdministration,
  SearchAnswer,
  SearchQuery,
  ToolAdministration,
  ToolInfo,
  ToolSummary,
  ToolsSummary,
} from './port.ts';
export { DOCUMENT_CONTENT_TYPE } from './remote/proxy-connection.ts';
export {
  createRemoteToolAdministration,
  type RemoteToolAdministration,
  type RemoteToolAdministrationOptions,
} from './remote/remote-administration.ts';
export { type CatalogSnapshot, createRemoteTools, type RemoteTools, type RemoteToolsOptions } from './remote/remote-tools.ts';
export { skillSettings } from './skills/settings.ts';
export { loadSourceKinds, type SourceKinds, type SourcePlugin } from './sources/plugins.ts';
export type {
  FetchContext,
  InvokeContext,
  InvokeResult,
  ParseContext,
  ParsedSource,
  SourceDocument,
  SourceKind,
  SourceTool,
} from './sources/port.ts';
export { createToolDomain, type ToolDomain } from './tool-domain.ts';
export type { ToolDomainOptions } from './tool-domain-options.ts';
export { registerToolGauges } from './tool-gauges.ts';
export { TOOL_HOLDINGS } from './workspaces/holdings.ts';
export { workspaceSettings } from './workspaces/settings.ts';
