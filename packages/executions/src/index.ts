export type { ExecutionGrant, ExecutionRecord, Executions, KeyRecord, Keys, ToolCallOutcome, ToolPort } from './port.ts';
