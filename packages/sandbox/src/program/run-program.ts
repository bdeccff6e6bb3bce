import { setTimeout as delay } from 'node:timers/promises';
import { RESULT_LIMIT_BYTES } from '@code-executor/contracts';
import { FRAME } from '../channel/frame-channel.ts';
import type { MemoryWatch } from '../memory-watch/create-memory-watch.ts';
import type { Sandbox, SandboxEnd } from '../port.ts';
import { hasArtifacts, type LeftBehind } from '../workspace/collect-artifacts.ts';
import { type ComputeClock, startComputeClock } from './compute-clock.ts';
import { createFrameHandler, type Reason, tooLargeResult } from './frame-handler.ts';
import { type Ending, judgeEnd, outOfMemory } from './judge-end.ts';
import type { PositionMap } from './position-map.ts';
import { createProgramOutput, type OutputReading, readOutput } from './program-output.ts';
import { type SentProgram, sendProgram } from './send-program.ts';
import { type CallHooks, createToolCallGate } from './tool-call-gate.ts';
import { isValidJson } from './validate-json.ts';

export interface Program extends SentProgram {
  /** `sendAhead` has sent it; it waits for the word. */
  readonly isSentAhead?: boolean | undefined;
  readonly positions: PositionMap;
  /** Of compute time: pauses do not count. */
  readonly timeoutMs: number;
}

export interface ProgramHooks extends CallHooks {
  /** Text as it is printed, every character once. */
  onOutput?(text: string): void;
  /** Called once, after the program's end, if it left files or more output than the answer holds. What it takes is the caller's to bound. */
  onLeftBehind?(left: LeftBehind): Promise<void>;
  /** Handed out once, before the program is sent. */
  onControls?(controls: ProgramControls): void;
}

/** Stops and continues every process of the sandbox, and the compute clock with them. */
export interface ProgramControls {
  /** Resolves when everything that was printed before is read, with the compute time so far in milliseconds. */
  pause(): Promise<number>;
  resume(): void;
}

export interface ProgramOutcome extends Ending {
  /** The result as the program wrote it, valid JSON; null without one. */
  readonly resultJson: string | null;
  readonly output: string;
  readonly truncated: boolean;
  readonly droppedBytes: number;
  readonly outputBytes: number;
  /** From the program's start to the reason of its end, pauses left out. */
  readonly executionTimeMs: number;
  /** Frames that broke the protocol: forged ones, since the runner sends none. */
  readonly violations: number;
  /** Highest memory use that was seen; null where nobody watched or the program was too short for a sample. */
  readonly peakMemoryBytes: number | null;
  /** The sandbox lives on: `nextChannel` was set, and the program ended by its runner's own word. */
  readonly kept: boolean;
}

export interface RunProgramOptions {
  /** Aborting it kills the program and keeps what it printed. */
  readonly signal: AbortSignal;
  readonly memoryWatch?: MemoryWatch | undefined;
  readonly resultLimitBytes?: number | undefined;
}

/**
 * Runs one program in a booted sandbox and ends the sandbox on every way out, unless the outcome says `kept`. The first reason to end wins: a terminal frame, the
 * clock, a limit, an abort or the end of the process. Never rejects for what the program does.
 */
export async function runProgram(
  sandbox: Sandbox,
  program: Program,
  hooks: ProgramHooks,
  { signal, memoryWatch, resultLimitBytes = RESULT_LIMIT_BYTES }: RunProgramOptions,
): Promise<ProgramOutcome> {
  const ending = Promise.withResolvers<Reason>();
  const channelClosed = Promise.withResolvers<void>();
  const ended = new AbortController();
  const keeps = program.nextChannel !== undefined;
  let kept = false;
  const memoryLimitMb = sandbox.spec.limits.memoryMb;

  const end = (reason: Reason): void => {
    if (ended.signal.aborted) return;
    clock.stop();
    ended.abort(ENDED);
    if (!(keeps && reason.terminalFrame === true)) {
      sandbox.channel.close();
      sandbox.kill();
    }
    ending.resolve(reason);
  };
  const fail = (code: string, message: string): void => end({ status: 'failed', error: { code, message } });
  const onAbort = (): void => end({ status: 'cancelled', error: { code: 'CANCELLED', message: 'The execution was cancelled.' } });

  const clock = startComputeClock(program.timeoutMs, () => {
    end({ status: 'timed_out', error: { code: 'TIMEOUT', message: `The program ran longer than ${program.timeoutMs} ms.` } });
  });
  const workspace = sandbox.takeWorkspace();
  const output = createProgramOutput(hooks.onOutput?.bind(hooks), hooks.onLeftBehind !== undefined);
  const reading = readOutput(sandbox.output, (chunk) => {
    if (!output.push(chunk)) fail('OUTPUT_LIMIT', 'The program printed more than 8 MB.');
  });
  const frames = createFrameHandler(createToolCallGate(sandbox.channel, hooks, ended.signal), program.positions, end, ended.signal);
  const { initPid } = sandbox;
  const memory =
    initPid === null
      ? undefined
      : memoryWatch?.watch(initPid, memoryLimitMb * MEGABYTE, (bytes) => {
          fail('MEMORY_LIMIT', `The program used ${Math.ceil(bytes / MEGABYTE)} MB; ${memoryLimitMb} MB are allowed.`);
        });
  void sandbox.outOfMemory?.then(() => end(outOfMemory(memoryLimitMb * MEGABYTE)));
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    hooks.onControls?.(controlsOf(sandbox, clock, reading, ended.signal));
    if (signal.aborted) onAbort();
    else {
      sandbox.channel.listen({ onFrame: frames.onFrame, onViolation: frames.onViolation, onClose: channelClosed.resolve });
      if (program.isSentAhead) sandbox.channel.send(FRAME.GO, '');
      else sendProgram(sandbox, program, { resultLimitBytes });
      void processEnd(sandbox, channelClosed.promise).then(async (how) => {
        if (how === null) return fail('SANDBOX_CRASHED', 'The runtime closed its tool channel.');
        // What it printed last may say why it crashed.
        await reading.drained();
        const promises = frames.started() === null ? null : sandbox.spec.runtime === 'python' ? frames.started() : program.promisesResult;
        const peakBytes = memory?.peakBytes() ?? null;
        end(judgeEnd(how, { promisesResult: promises, memoryLimitBytes: memoryLimitMb * MEGABYTE, peakBytes, lastOutput: output.tail() }));
      });
    }
    const reason = await ending.promise;
    kept = keeps && reason.terminalFrame === true;
    // The runner sends its last frame when everything the program wrote is in the pipe; other ends wait for the pipe's own.
    await (reason.terminalFrame === true ? reading.drained() : reading.ended(OUTPUT_END_MS));
    await handOver(sandbox, { output: output.whole(), workspaceFd: workspace?.fd ?? null }, hooks);
    return {
      ...(await withResult(reason, resultLimitBytes)),
      ...output.finish(),
      executionTimeMs: Math.round(clock.elapsedMs() * 1000) / 1000,
      violations: frames.violations(),
      kept,
      peakMemoryBytes: memory?.peakBytes() ?? null,
    };
  } finally {
    onAbort();
    workspace?.release();
    if (kept) reading.release();
    else reading.stop();
    memory?.stop();
    signal.removeEventListener('abort', onAbort);
  }
}

const MEGABYTE = 1024 * 1024;
/** Made once: an abort without a reason makes a DOMException with its stack, 0.2 ms for nobody to read. */
const ENDED = new Error('the program has ended');
/** After the kill every writer is gone within milliseconds; a kernel that is busy freeing memory takes longer. */
const OUTPUT_END_MS = 2_000;
/** A runtime that ends closes its channel first; one that closes it and lives on has cut itself off. */
const CLOSED_GRACE_MS = 250;

function controlsOf(sandbox: Sandbox, clock: ComputeClock, reading: OutputReading, ended: AbortSignal): ProgramControls {
  return {
    async pause() {
      if (ended.aborted) return clock.elapsedMs();
      sandbox.freeze();
      clock.pause();
      await reading.drained();
      return clock.elapsedMs();
    },
    resume() {
      if (ended.aborted) return;
      clock.resume();
      sandbox.thaw();
    },
  };
}

/** Frames that were sent before the end are delivered before this resolves. Null: the channel is closed and the process lives. */
async function processEnd(sandbox: Sandbox, channelClosed: Promise<void>): Promise<SandboxEnd | null> {
  const first = await Promise.race([sandbox.ended, channelClosed]);
  if (first !== undefined) {
    await Promise.race([channelClosed, delay(CLOSED_GRACE_MS, undefined, { ref: false })]);
    return first;
  }
  const how = await Promise.race([sandbox.ended, delay(CLOSED_GRACE_MS, null, { ref: false })]);
  return how === null && sandbox.isEnding?.() === true ? await sandbox.ended : how;
}

/** Read only when no process is left: nothing can be changed under the reader's eyes. */
async function handOver(sandbox: Sandbox, { output, workspaceFd }: LeftBehind, hooks: ProgramHooks): Promise<void> {
  if (hooks.onLeftBehind === undefined) return;
  const hasFiles = workspaceFd !== null && hasArtifacts(workspaceFd);
  if (!hasFiles && output === null) return;
  const isGone = hasFiles && (await Promise.race([sandbox.ended, delay(GONE_MS, null, { ref: false })])) !== null;
  await hooks.onLeftBehind({ output, workspaceFd: isGone ? workspaceFd : null });
}

/** A kernel that is busy freeing memory takes seconds to end a process. */
const GONE_MS = 5_000;

/** A result is the program's own text: kept as it is, once it is known to be JSON. */
async function withResult(
  { status, error, resultBytes }: Reason,
  limitBytes: number,
): Promise<Ending & { readonly resultJson: string | null }> {
  if (resultBytes === undefined || resultBytes.length === 0) return { status, error, resultJson: null };
  if (resultBytes.length > limitBytes) return { ...tooLargeResult(resultBytes.length, limitBytes), resultJson: null };
  if (await isValidJson(resultBytes, RESULT_DEPTH)) return { status, error, resultJson: resultBytes.toString('utf8') };
  const message = 'The program sent a result that is no JSON text.';
  return { status: 'failed', error: { code: 'RESULT_NOT_SERIALIZABLE', message }, resultJson: null };
}

/** Runners refuse to write deeper than 1000. */
const RESULT_DEPTH = 1001;
