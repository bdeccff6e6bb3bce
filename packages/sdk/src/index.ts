export { type ClientOptions, createClient, type ExecutorClient } from './create-client.ts';
export { ExecutorError, ExecutorPausedError } from './errors.ts';
export type { ExecutionStream } from './execution-stream.ts';
export type { RequestOptions } from './http/send.ts';
export type * from './types/administration.ts';
export type * from './types/approval.ts';
export type * from './types/execution.ts';
export type { Page } from './types/page.ts';
export type * from './types/tool.ts';
