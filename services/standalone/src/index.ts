export { createExecutor, type EmbeddedExecutor, type EmbeddedOptions } from './embedded.ts';
