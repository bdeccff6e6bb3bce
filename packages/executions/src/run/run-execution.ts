import type { ExecutionError, Runtime } from '@code-executor/contracts';
import { isAppError, messageOf } from '@code-executor/platform';
import { type ClaimedExecution, type ExecutionOutcome, endWithoutProgram } from '../execution.ts';
import type { ExecutionGrant } from '../port.ts';
import type { Checkpoint } from '../replay/checkpoint.ts';
import { createRecording, mayReplay } from '../replay/recording.ts';
import type { ProgramHooks, RunDependencies } from './dependencies.ts';
import { createPauses, type PausableGrant, type PauseOptions } from './pauses.ts';
import { diverged, LET_GO, type StopReason, UNANSWERED } from './stop-reason.ts';
import { trackToolCalls } from './tool-calls.ts';
import { traced } from './trace-execution.ts';
import { within } from './within.ts';

const TYPECHECK_MS = 30_000;
/** Longer than the slowest cold start by far; a pool that cannot serve within it is broken. */
const CLAIM_MS = 30_000;

/** A claimed execution and, in the fleet, what its claim brought along. */
export interface RunnableExecution extends ClaimedExecution {
  /** Shown to mcp-proxy with its calls. */
  readonly bearer?: string | undefined;
  /** Of the wrappers that the program is to see; absent: the newest. */
  readonly catalogVersion?: string | undefined;
}

/** From claimed to its outcome. Never rejects: what fails of ours ends the execution truthfully. */
export async function runExecution<Positions>(
  claimed: RunnableExecution,
  pausing: Omit<PauseOptions, 'grant' | 'whenDecided' | 'token' | 'checkpoint' | 'effects'> & { readonly past: Checkpoint | null },
  deps: RunDependencies<Positions>,
): Promise<ExecutionOutcome> {
  const { id: executionId, workspaceId, principalId, bearer, traceparent } = claimed;
  const grant: PausableGrant = { executionId, workspaceId, principalId, bearer, traceparent: traceparent ?? undefined };
  const { live } = pausing;
  const whenDecided = deps.tools.whenDecided?.bind(deps.tools);
  const stop = live.stop.signal;
  const { past } = pausing;
  if (past === null && claimed.replay !== undefined) return endWithoutProgram('failed', diverged('it cannot be read').error, 'unknown');
  const ahead = deps.headStarts?.take(executionId);
  const recording = createRecording(
    { isReplayable: mayReplay(claimed), past, seed: ahead?.seed },
    { onDiverged: (what) => live.stop.abort(diverged(what)), onUnanswered: () => live.stop.abort(UNANSWERED) },
    stop,
  );
  const checkpoint = (waitsFor: readonly string[]): string | null => {
    live.log.flush();
    return recording.checkpoint(live.log.events(), waitsFor);
  };
  const pauses = createPauses({ ...pausing, grant, token: claimed.token, whenDecided, checkpoint, effects: () => calls.effects() });
  const calls = trackToolCalls(deps.tools, grant, pauses, recording, (summary) => live.log.toolCall(summary));
  const turn = deps.turns?.enter(workspaceId);
  let started = false;
  try {
    stop.throwIfAborted();
    const prepared = await traced(deps.tracing, 'prepare', traceparent, () => prepare(claimed, stop, deps));
    if (!prepared.ok) return endWithoutProgram('failed', prepared.error, 'not_started');

    const claimTraced = <Answer>(claim: (signal: AbortSignal) => Promise<Answer>): Promise<Answer> =>
      traced(deps.tracing, 'claim sandbox', traceparent, () => within(CLAIM_MS, stop, claim));
    const claim = async () => {
      const early = ahead === undefined ? null : await claimTraced((signal) => ahead.claimed(signal));
      if (early !== null) return { ...early, isSentAhead: true };
      if (turn !== undefined) await traced(deps.tracing, 'wait for turn', traceparent, () => turn.wait(stop));
      const spec = {
        runtime: claimed.language as Runtime,
        snapshotDir: prepared.snapshotDir,
        limits: deps.sandboxLimits,
        yields: turn?.isOneOfMany,
      };
      return await claimTraced((signal) => deps.pool.claim(spec, signal));
    };
    return await inSandbox(claimed, claim, stop, deps, async (sandbox, nextChannel, warm, isSentAhead) => {
      stop.throwIfAborted();
      started = true;
      const { args, files, timeoutMs } = claimed;
      const determinism = mayReplay(claimed) ? recording.determinism : undefined;
      const program = { ...prepared, args, files, timeoutMs, nextChannel, determinism, isSentAhead };
      const hooks: ProgramHooks = {
        onOutput: (text) => live.log.output(recording.output(text)),
        onCall(call) {
          turn?.end();
          return calls.call(call);
        },
        onDiscover: (operation, params) => recording.ask(operation, params, () => deps.tools.discover(grant, operation, params)),
        onControls: pauses.control,
        ...keepLeftBehind(claimed, deps),
      };
      const outcome = await traced(deps.tracing, 'run program', traceparent, (span) => {
        if (span !== null) grant.traceparent = span.traceparent;
        turn?.running();
        return deps.runProgram(sandbox, program, hooks, stop);
      });
      turn?.end();
      await calls.settle(stop.reason === LET_GO);
      const ended = { ...outcome, ...stoppedByUs(outcome.status, stop), effects: calls.effects(), toolCalls: calls.summaries(), warm };
      const left = outcome.status === 'succeeded' ? recording.leftOver() : null;
      return left === null ? ended : { ...ended, ...diverged(left), resultJson: null };
    });
  } catch (error) {
    await calls.settle(stop.reason === LET_GO);
    const end = stop.aborted ? stopOutcome(stop) : { status: 'failed' as const, error: describeFault(error, grant, deps) };
    const outcome = endWithoutProgram(end.status, end.error, started ? calls.effects() : 'not_started');
    return { ...outcome, toolCalls: calls.summaries(), output: live.log.outputText() };
  } finally {
    ahead?.end();
    turn?.end();
    pauses.end();
  }
}

type Claimed = Awaited<ReturnType<RunDependencies['pool']['claim']>> & { readonly isSentAhead?: boolean };
type Act = (
  sandbox: Claimed['sandbox'],
  nextChannel: string | undefined,
  warm: boolean,
  isSentAhead?: boolean,
) => Promise<ExecutionOutcome & { readonly kept?: boolean | undefined }>;

/** A sandbox of its own, killed afterwards, or that of its session. */
async function inSandbox(
  execution: ClaimedExecution,
  claim: () => Promise<Claimed>,
  stop: AbortSignal,
  { sessions }: Pick<RunDependencies, 'sessions'>,
  act: Act,
): Promise<ExecutionOutcome> {
  if (execution.sessionId !== undefined && sessions !== undefined) return await sessions.run(execution, claim, stop, act);
  const { sandbox, warm, isSentAhead } = await claim();
  try {
    return await act(sandbox, undefined, warm, isSentAhead);
  } finally {
    sandbox.kill();
  }
}

/** An end is not held up for what cannot be kept. */
function keepLeftBehind(
  execution: ClaimedExecution,
  { artifacts, log }: Pick<RunDependencies, 'artifacts' | 'log'>,
): Pick<ProgramHooks, 'onLeftBehind'> {
  if (artifacts === undefined) return {};
  return {
    onLeftBehind: (left) =>
      artifacts.keep(execution, left).catch((error: unknown) => {
        log.error({ err: error, executionId: execution.id }, 'What an execution left behind could not be kept');
      }),
  };
}

/** Everything that needs no sandbox: the program parsed, its wrappers at hand, its types checked where it asks for that. */
async function prepare<Positions>(claimed: RunnableExecution, stop: AbortSignal, deps: RunDependencies<Positions>) {
  const prepared = await deps.preparation.take(claimed, stop);
  if (!prepared.ok) return prepared;
  const snapshotDir = await deps.tools.snapshotDir(claimed.workspaceId, claimed.catalogVersion, stop);
  const error = claimed.typecheck ? await typecheck(claimed, snapshotDir, stop, deps) : null;
  return error === null ? { ...prepared, snapshotDir } : { ok: false as const, error };
}

async function typecheck(
  { code, files }: ClaimedExecution,
  snapshotDir: string,
  stop: AbortSignal,
  { typechecker }: Pick<RunDependencies, 'typechecker'>,
): Promise<ExecutionError | null> {
  if (typechecker === undefined)
    return { code: 'TYPECHECK_FAILED', message: 'This service has no type checker. Send the program without typecheck.' };
  return await within(TYPECHECK_MS, stop, (signal) => typechecker.check({ code, files, snapshotDir, signal }));
}

function stopOutcome(stop: AbortSignal): StopReason {
  return stop.reason as StopReason;
}

/** The runner reports an abort as `cancelled`; why it was aborted is known here. */
const stoppedByUs = (status: ExecutionOutcome['status'], stop: AbortSignal): Partial<StopReason> =>
  status === 'cancelled' && stop.aborted ? stopOutcome(stop) : {};

function describeFault(error: unknown, { executionId }: ExecutionGrant, { log }: Pick<RunDependencies, 'log'>): ExecutionError {
  if (isAppError(error)) {
    log.warn({ err: error, executionId }, 'An execution could not be run');
    return { code: error.code, message: error.message };
  }
  log.error({ err: error, executionId }, `An execution could not be run: ${messageOf(error)}`);
  return { code: 'INTERNAL', message: `A fault of this service. Its log has it under ${executionId}.` };
}
