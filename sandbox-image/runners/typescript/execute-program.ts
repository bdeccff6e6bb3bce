import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { installWorld, patchModulesNamedIn } from './journaled-world.ts';
import { describeFailure, type Failure } from './program-failure.ts';
import { installGlobals } from './program-globals.ts';
import { serializeResult } from './serialize-result.ts';
import { createToolChannel, FRAME, frame, jsonFrame, type Run, type Transport } from './tool-channel.ts';

/**
 * Names that `packages/executions/src/prepare` gives the program's exports: RESULT is the value of its last expression, BODY the
 * whole program as a function, made where it holds a top-level `return`. `default` is the user's own.
 */
const RESULT = '__executionResult';
const BODY = '__executionBody';

const { reallyExit } = process as unknown as { reallyExit(code: number): void };
const wait = Atomics.wait;
const parked = new Int32Array(new SharedArrayBuffer(4));
const isClass = (value: unknown): boolean => /^class\b/.test(Function.prototype.toString.call(value));

/**
 * Runs one program and sends exactly one terminal frame, unless the program leaves by itself: then the service judges
 * how the process ended. Takes over the process's event-loop and error hooks.
 */
export function executeProgram(run: Run, workspace: string, transport: Transport): void {
  const program = `${workspace}/main.ts`;
  for (const [path, text] of Object.entries(run.files)) {
    mkdirSync(dirname(`${workspace}/${path}`), { recursive: true });
    writeFileSync(`${workspace}/${path}`, text);
  }
  writeFileSync(program, run.code);
  installGlobals(run.args, createToolChannel(transport));
  if (run.determinism !== undefined) {
    installWorld(run.determinism);
    patchModulesNamedIn([run.code, ...Object.values(run.files)]);
  }

  let state: 'running' | 'draining' | 'ended' = 'running';
  const end = (bytes: Uint8Array): void => {
    if (state === 'ended') return;
    state = 'ended';
    transport.write(bytes);
    if (run.nextChannel !== undefined && transport.next !== undefined) {
      for (const [event, listener] of listeners) process.off(event, listener);
      transport.next(`${workspace}/${run.nextChannel}`);
      return;
    }
    // The service kills the sandbox now. Until then no further line of the program may run, exit handlers included.
    wait(parked, 0, 0, 10_000);
    reallyExit(0);
  };
  const fail = (failure: Failure): void => end(jsonFrame(FRAME.FAILURE, failure));
  const failWith = (thrown: unknown): void => {
    let failure: Failure = { code: 'UNCAUGHT', message: 'The program threw a value that cannot be shown.' };
    try {
      failure = describeFailure(thrown, workspace);
    } finally {
      fail(failure);
    }
  };

  // A program that handles these itself has the last word, as it has without us.
  const listeners: readonly (readonly [string, (subject: unknown) => void])[] = [
    ['uncaughtException', (error) => process.listenerCount('uncaughtException') === 1 && failWith(error)],
    ['unhandledRejection', (reason) => process.listenerCount('unhandledRejection') === 1 && failWith(reason)],
    [
      'beforeExit',
      () => {
        // A program that set process.exitCode wants to be judged by it.
        if (process.exitCode !== undefined && process.exitCode !== 0) return;
        if (state === 'draining') end(frame(FRAME.RESULT, new Uint8Array(0)));
        else fail({ code: 'EXITED', message: 'The program stopped while it awaited something that nothing is left to settle.' });
      },
    ],
  ];
  for (const [event, listener] of listeners) process.on(event, listener);

  const load = (): Promise<Record<string, unknown>> => import(program);
  const begin = async (loaded?: Promise<Record<string, unknown>>): Promise<void> => {
    if (run.held !== undefined && !transport.waitForGo()) reallyExit(0);
    transport.write(jsonFrame(FRAME.STARTED, { promisesResult: run.promisesResult }));
    try {
      const value = await resultOf(await (loaded ?? load()), run.args);
      // Nothing was promised, or only a timer or server started: what is pending still has to happen.
      if (value === undefined || isLoopHandle(value)) {
        state = 'draining';
        return;
      }
      const result = serializeResult(value, run.resultLimitBytes);
      if (result.ok) end(frame(FRAME.RESULT, result.bytes));
      else fail({ code: result.code, message: result.message });
    } catch (error) {
      failWith(error);
    }
  };
  if (run.held !== 'import') {
    void begin();
    return;
  }
  const loaded = load();
  const go = (): void => void begin(loaded);
  loaded.then(go, go);
}

async function resultOf(exports: Record<string, unknown>, args: unknown): Promise<unknown> {
  const body = exports[BODY];
  if (typeof body === 'function') return called(await body(), args);
  const last = RESULT in exports ? await called(await exports[RESULT], args) : undefined;
  if (last !== undefined || !('default' in exports)) return last;
  // A default function beside a last expression is taken to be what that expression has called already.
  const fallback = await exports.default;
  return RESULT in exports && typeof fallback === 'function' ? undefined : called(fallback, args);
}

const called = (value: unknown, args: unknown): unknown => (typeof value === 'function' && !isClass(value) ? value(args) : value);

const isLoopHandle = (value: unknown): boolean =>
  typeof value === 'object' &&
  value !== null &&
  typeof (value as { ref?: unknown }).ref === 'function' &&
  typeof (value as { unref?: unknown }).unref === 'function';
