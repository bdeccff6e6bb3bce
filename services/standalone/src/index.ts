export type { SourcePlugin } from '@code-executor/tools';
export { createExecutor, type EmbeddedExecutor, type EmbeddedOptions } from './embedded.ts';
