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
} from './port.ts';
