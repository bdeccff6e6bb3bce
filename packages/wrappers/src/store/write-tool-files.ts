import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type { ToolDefinition } from '@code-executor/contracts';
import { FILE_OPTIONS, type ToolFile, toolFileSource } from './tool-file.ts';
import type { ToolLot, ToolToWrite, WritingTask, WritingThreadMessage } from './writing-thread.ts';

/** A file below the directory of a snapshot. */
export interface FileToWrite {
  readonly path: string;
  readonly of: ToolFile;
}

/** Fewer are written sooner than a thread starts. */
const FEWEST_FOR_A_THREAD = 400;
/** Put into words in some milliseconds. */
const CHARACTERS_PER_LOT = 256 * 1024;
const MEMORY_MB = 512;
/** The event loop gets its turn after this long, so that requests do not wait for a large catalog. */
const SLICE_MS = 4;

/** Generates and writes files that are not there yet: many of them in a thread of their own, since that takes seconds for a large catalog. */
export async function writeToolFiles(dir: string, files: readonly FileToWrite[]): Promise<void> {
  const rest = files.length < FEWEST_FOR_A_THREAD ? files : await writeInThread(dir, files);
  let sliceEnd = performance.now() + SLICE_MS;
  for (const { path, of } of rest) {
    writeFileSync(join(dir, path), toolFileSource(of), FILE_OPTIONS);
    if (performance.now() <= sliceEnd) continue;
    await nextTurn();
    sliceEnd = performance.now() + SLICE_MS;
  }
}

/** Answers those that no other thread can be told of. */
async function writeInThread(dir: string, files: readonly FileToWrite[]): Promise<readonly FileToWrite[]> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const thread = new Worker(new URL('./writing-thread.ts', import.meta.url), {
    workerData: { dir } satisfies WritingTask,
    resourceLimits: { maxOldGenerationSizeMb: MEMORY_MB, stackSizeMb: 8 },
    env: {},
  });
  thread.on('message', (message: WritingThreadMessage) => {
    if (message.ok) resolve();
    else reject(Object.assign(new Error(message.message), message.code === null ? {} : { code: message.code }));
  });
  thread.on('error', reject);
  thread.on('exit', (code) => reject(new Error(`The thread that writes wrappers ended with ${code}`)));
  // Nobody may be waiting yet while the lots are sent.
  promise.catch(() => undefined);
  try {
    const untold = await send(files, (lot) => thread.postMessage(lot));
    await promise;
    return untold;
  } finally {
    await thread.terminate();
  }
}

async function send(files: readonly FileToWrite[], post: (lot: ToolLot) => void): Promise<readonly FileToWrite[]> {
  const untold: FileToWrite[] = [];
  let lot: ToolToWrite[] = [];
  let characters = 0;
  for (const [tool, ofTool] of Map.groupBy(files, ({ of }) => of.tool)) {
    const definition = asJson(tool);
    if (definition === null) {
      untold.push(...ofTool);
      continue;
    }
    lot.push({ definition, files: ofTool.map(({ path, of: { language, name } }) => ({ path, language, name })) });
    characters += definition.length;
    if (characters < CHARACTERS_PER_LOT) continue;
    post({ tools: lot, isLast: false });
    lot = [];
    characters = 0;
    await nextTurn();
  }
  post({ tools: lot, isLast: true });
  return untold;
}

/** Null: its schema nests deeper than the stack. */
function asJson(tool: ToolDefinition): string | null {
  try {
    return JSON.stringify(tool);
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}
