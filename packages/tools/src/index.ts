export { toolMigrations } from './migrations.ts';
export type {
  IntegrationRecord,
  IntegrationState,
  NewIntegration,
  PolicyRecord,
  SearchAnswer,
  SearchQuery,
  ToolAdministration,
  ToolInfo,
  ToolSummary,
  ToolsSummary,
} from './port.ts';
export { createToolDomain, type ToolDomain, type ToolDomainOptions } from './tool-domain.ts';
