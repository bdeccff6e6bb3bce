export { createExecutions, type ExecutionsOptions, type ExecutionsService } from './create-executions.ts';
export type { ExecutionEnded } from './end-execution.ts';
export { createKeys, type KeysService } from './keys/create-keys.ts';
export type { ExecutionGrant, ExecutionRecord, Executions, KeyRecord, Keys, ToolCallOutcome, ToolPort } from './port.ts';
export type { ExecutionQueue, QueuePlace } from './queue/execution-queue.ts';
export { createInProcessQueue } from './queue/in-process-queue.ts';
export type { Recovered } from './recover-executions.ts';
export type { EffectsOf } from './run/dependencies.ts';
export { executionMigrations } from './store/migrations.ts';
