import type { ExecutorClient } from '@code-executor/sdk';
import type { ServerChoice } from '../server/choose-server.ts';
import type { Terminal } from '../terminal/terminal.ts';

/** What a command works with. */
export interface Context {
  readonly terminal: Terminal;
  readonly json: boolean;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
  readonly version: string;
  /** The service that was named, or the local one. */
  server(): Promise<ServerChoice>;
  client(): Promise<ExecutorClient>;
  /** The answer: `value` as JSON with --json, else the text that `human` makes of it. */
  answer<Value>(value: Value, human: (value: Value) => string): void;
  /** For people, on the error stream; nothing with --json. */
  note(text: string): void;
}
