/** Entry of a thread that writes the wrappers of many tools and ends. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import type { ToolDefinition } from '@code-executor/contracts';
import type { WrapperLanguage } from '../generate/tool-files.ts';
import type { CodeName } from '../naming/code-names.ts';
import { FILE_OPTIONS, toolFileSource } from './tool-file.ts';

export interface WritingTask {
  readonly dir: string;
}

export interface ToolToWrite {
  /** ToolDefinition as JSON. */
  readonly definition: string;
  readonly files: readonly { readonly path: string; readonly language: WrapperLanguage; readonly name: CodeName }[];
}

export interface ToolLot {
  readonly tools: readonly ToolToWrite[];
  readonly isLast: boolean;
}

export type WritingThreadMessage = { readonly ok: true } | { readonly ok: false; readonly message: string; readonly code: string | null };

const { dir } = workerData as WritingTask;

parentPort?.on('message', ({ tools, isLast }: ToolLot) => {
  try {
    for (const { definition, files } of tools) {
      const tool = JSON.parse(definition) as ToolDefinition;
      for (const { path, language, name } of files) writeFileSync(join(dir, path), toolFileSource({ tool, language, name }), FILE_OPTIONS);
    }
    if (isLast) post({ ok: true });
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : null;
    post({ ok: false, message: error instanceof Error ? error.message : String(error), code });
    parentPort?.close();
  }
});

function post(message: WritingThreadMessage): void {
  parentPort?.postMessage(message);
}
