export { ERROR_CODES, type ErrorCode, knownErrorCode } from './error-codes.ts';
export {
  CODE_LIMIT_BYTES,
  type Effects,
  ENDED_STATUSES,
  EXECUTION_STATUSES,
  type ExecuteRequest,
  type Execution,
  type ExecutionError,
  type ExecutionEvent,
  type ExecutionMetrics,
  type ExecutionStatus,
  executeRequestSchema,
  executionErrorSchema,
  executionSchema,
  RESULT_LIMIT_BYTES,
  RUNTIMES,
  type Runtime,
  TIMEOUT_DEFAULT_MS,
  TIMEOUT_MAXIMUM_MS,
  type ToolCallSummary,
  toolCallSummarySchema,
} from './execution.ts';
export { type IdPrefix, idPattern, newId } from './ids.ts';
export { INTEGRATION_KINDS, type IntegrationKind, newIntegrationShape } from './integration.ts';
export { DEFAULT_WORKSPACE_ID, type Principal, ROLES, type Role } from './principal.ts';
export {
  DISCOVERY_OPERATIONS,
  type DiscoveryOperation,
  type JsonSchema,
  POLICY_ACTIONS,
  type PolicyAction,
  type ReplyMeta,
  SEARCH_DETAILS,
  type SearchDetail,
  type ToolAnnotations,
  type ToolCallFailure,
  type ToolCallReply,
  type ToolDefinition,
} from './tool.ts';
