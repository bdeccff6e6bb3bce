import { createExecutionStream, type ExecutionStream } from '../execution-stream.ts';
import { sendForJson } from '../http/json.ts';
import type { RequestOptions, Send } from '../http/send.ts';
import type { ExecuteRequest, Execution, ExecutionStatus } from '../types/execution.ts';
import type { Executions } from './executions.ts';

export interface ExecuteOptions extends RequestOptions {
  /** The same key and request give the same execution, never a second run. One is made where none is given, so that repetitions are safe. */
  readonly idempotencyKey?: string;
}

/** A string is TypeScript. */
export type Program = string | ExecuteRequest;

export interface Executing {
  /** Runs a program and waits until it ended, or is paused for an approval. A program that fails is data. */
  execute(program: Program, options?: ExecuteOptions): Promise<Execution>;
  /** Starts a program and follows it. */
  stream(program: Program, options?: ExecuteOptions): Promise<ExecutionStream>;
  /** Queues a program and does not wait. */
  submit(program: Program, options?: ExecuteOptions): Promise<{ readonly executionId: string; readonly status: ExecutionStatus }>;
}

export function executingOf(send: Send, executions: Executions): Executing {
  const post = <Answer>(program: Program, wait: boolean, options: ExecuteOptions): Promise<Answer> =>
    sendForJson(send, {
      method: 'POST',
      path: '/execute',
      body: { ...(typeof program === 'string' ? { language: 'typescript', code: program } : program), wait },
      headers: { 'idempotency-key': options.idempotencyKey ?? globalThis.crypto.randomUUID() },
      // The wait for an execution is as long as its queue and its timeout; the service ends it.
      options: wait ? { timeoutMs: 0, ...options } : options,
      repeatable: true,
    });
  const submit: Executing['submit'] = (program, options = {}) => post(program, false, options);
  return {
    execute: (program, options = {}) => post(program, true, options),
    submit,
    async stream(program, options = {}) {
      const { executionId } = await submit(program, options);
      const { signal } = options;
      return createExecutionStream(
        executionId,
        () => executions.events(executionId, signal === undefined ? {} : { signal }),
        () => executions.get(executionId, options),
      );
    },
  };
}
