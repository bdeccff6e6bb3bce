/** Entry of a preparing thread: one program at a time, until the thread is ended. */
import { parentPort } from 'node:worker_threads';
import { type PreparedProgram, prepareProgram } from './prepare-program.ts';

export interface PrepareRequest {
  readonly language: string;
  readonly code: string;
}

parentPort?.on('message', ({ language, code }: PrepareRequest) => {
  parentPort?.postMessage(prepareProgram(language, code) satisfies PreparedProgram);
});
