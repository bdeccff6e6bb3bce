export { type ArtifactStore, createArtifactStore } from './artifacts/artifact-store.ts';
export { createStoredArtifacts, type StoredArtifacts } from './artifacts/stored-artifacts.ts';
export { createExecutions, type ExecutionsOptions, type ExecutionsService } from './create-executions.ts';
export type { ExecutionEnded } from './end-execution.ts';
export type { HistoryFilter } from './export-executions.ts';
export { createFleetExecutions, type FleetExecutions, type FleetExecutionsOptions } from './fleet/create-fleet-executions.ts';
export { type LiveWorkers, readReports, shareOf, watchWorkers } from './fleet/live-workers.ts';
export { createSessionLedger } from './fleet-sessions/create-session-ledger.ts';
export type { SessionLedger } from './fleet-sessions/port.ts';
export { createActivePrincipals } from './keys/active-principals.ts';
export { createKeys, type KeysService } from './keys/create-keys.ts';
export { createLedger, type LedgerOptions, type LocalLedger } from './ledger/create-ledger.ts';
export type { ClaimedByWorker, ExecutionLedger, HeldExecution, Renewal, WorkerReport } from './ledger/port.ts';
export { CHANNELS } from './live-stream/fleet-channels.ts';
export { startForgettingLiveLogs } from './live-stream/forget-live-logs.ts';
export { createLiveWriter, type LiveWriter } from './live-stream/live-writer.ts';
export { createMcpSessions, type McpSessionLimits } from './mcp-sessions/create-mcp-sessions.ts';
export { mcpMigrations } from './mcp-sessions/migrations.ts';
export type { McpClient, McpRequest, McpSession, McpSessions } from './mcp-sessions/port.ts';
export { inbandApprovalOf, mcpSessionLimitsOf, mcpSettings } from './mcp-sessions/settings.ts';
export { anonymousPrincipal } from './oauth-server/anonymous.ts';
export type { OAuthClient } from './oauth-server/clients.ts';
export { createOAuthServer } from './oauth-server/create-oauth-server.ts';
export { createExternalTokens, type ReadDocument } from './oauth-server/external-tokens.ts';
export { oauthMigrations } from './oauth-server/migrations.ts';
export type {
  AuthorizationQuery,
  AuthorizationRequest,
  GrantRecord,
  OAuthOrigin,
  OAuthServer,
  TokenAnswer,
} from './oauth-server/port.ts';
export { OAuthRefusal } from './oauth-server/refusal.ts';
export { rolesUpTo, SCOPES } from './oauth-server/scopes.ts';
export { readOrMakeSecret } from './oauth-server/secret-file.ts';
export { readUserCode } from './oauth-server/secrets.ts';
export { accessSettings, externalIssuerOf } from './oauth-server/settings.ts';
export type {
  ExecutionGrant,
  ExecutionRecord,
  ExecutionSummary,
  Executions,
  KeyRecord,
  Keys,
  PendingApproval,
  ToolCallOutcome,
  ToolPort,
} from './port.ts';
export { createPreparer, type Preparer } from './prepare/create-preparer.ts';
export { shapeSkill } from './prepare/shape-skill.ts';
export { createQueueConsumer, type QueueConsumer } from './queue/bullmq-consumer.ts';
export { createQueueProducer, type QueueProducer } from './queue/bullmq-producer.ts';
export type { ExecutionQueue, QueuePlace } from './queue/execution-queue.ts';
export { createInProcessQueue } from './queue/in-process-queue.ts';
export { type Reconciler, type ReconcilerOptions, startReconciler } from './reconcile/start-reconciler.ts';
export type { Recovered } from './recover-executions.ts';
export { CHECKPOINT_LIMIT_BYTES } from './replay/checkpoint.ts';
export { replayPlace } from './replay/sealing.ts';
export type { EffectsOf } from './run/dependencies.ts';
export { registerRunMetrics } from './run-metrics.ts';
export { sessionLimitsOf, sessionSettings } from './sessions/settings.ts';
export { heldExecutions, isHeld } from './store/call-fence.ts';
export { createEndedExecutions } from './store/ended-executions.ts';
export { createFleetStore, type FleetStore } from './store/fleet-store.ts';
export { executionMigrations } from './store/migrations.ts';
export { createTypechecker, type TypecheckerOptions } from './typecheck/typechecker.ts';
export { createWaiters } from './waiters.ts';
export type { Catalog } from './worker/catalog-snapshots.ts';
export {
  createWorkerExecutions,
  type WorkerExecutions,
  type WorkerExecutionsOptions,
  type WorkerExecutionsStats,
} from './worker/create-worker-executions.ts';
export { followCancellations, followHandOvers } from './worker/follow-cancellations.ts';
export { createRemoteLedger, type RemoteLedger } from './worker/remote-ledger.ts';
export { containersOf, executorSettings } from './worker/settings.ts';
export { createWorkspaceSnapshots, type WorkspaceSnapshots } from './worker/workspace-snapshots.ts';
export { createWorkspaces, type WorkspacesOptions, type WorkspacesService } from './workspaces/create-workspaces.ts';
export { EXECUTION_HOLDINGS } from './workspaces/holdings.ts';
export { workspaceMigrations } from './workspaces/migrations.ts';
export type { HoldingTable, WorkspaceHoldings, WorkspaceRecord, Workspaces } from './workspaces/port.ts';
export { createWorkspaceStore } from './workspaces/workspace-store.ts';
