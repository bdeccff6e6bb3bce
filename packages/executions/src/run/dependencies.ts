import type { DiscoveryOperation, Effects, ExecutionError, ToolCallReply } from '@code-executor/contracts';
import type { Logger, Tracing } from '@code-executor/platform';
import type {
  CallJournal,
  Determinism,
  LeftBehind,
  ProgramControls,
  Sandbox,
  SandboxLimits,
  ProgramOutcome as SandboxOutcome,
  SandboxPool,
  SentProgram,
} from '@code-executor/sandbox';
import type { ClaimedExecution } from '../execution.ts';
import type { ToolPort } from '../port.ts';
import type { SessionsService } from '../sessions/create-sessions.ts';
import type { HeadStarts } from './head-starts.ts';
import type { Preparation } from './preparation.ts';
import type { Turns } from './turns.ts';

/** What running takes from its neighbours, stated as narrowly as it is used. */
export interface RunDependencies<Positions = unknown> {
  readonly tools: RunTools;
  readonly preparation: Preparation<Positions>;
  /** Absent: a request for `typecheck` ends as TYPECHECK_FAILED and says why. */
  readonly typechecker?: Typechecker | undefined;
  readonly pool: Pick<SandboxPool, 'claim'>;
  /** Absent: all that have a place start at once. */
  readonly turns?: Turns | undefined;
  /** Absent: every execution has a sandbox of its own. */
  readonly sessions?: Pick<SessionsService, 'run'> | undefined;
  readonly runProgram: RunProgram<Positions>;
  /** Absent: a sandbox hears of its program when that may run. */
  readonly headStarts?: Pick<HeadStarts, 'take'> | undefined;
  /** Absent: nothing that a program leaves behind is kept. */
  readonly artifacts?: { keep(execution: ClaimedExecution, left: LeftBehind): Promise<void> } | undefined;
  readonly sandboxLimits: SandboxLimits;
  readonly log: Logger;
  /** null or absent: nothing is traced. */
  readonly tracing?: Tracing | null | undefined;
}

/** The tool port; a worker of the fleet also fetches the wrappers of the version that a claim names. */
export interface RunTools extends Pick<ToolPort, 'callTool' | 'discover' | 'whenDecided'> {
  snapshotDir(workspaceId: string, catalogVersion: string | undefined, signal: AbortSignal): Promise<string>;
}

export interface Preparer<Positions = unknown> {
  prepare(
    program: {
      readonly language: string;
      readonly code: string;
      readonly files: Readonly<Record<string, string>>;
      /** What the program declares is kept for the session's next one. */
      readonly sessionId?: string | undefined;
    },
    signal: AbortSignal,
  ): Promise<
    | {
        readonly ok: true;
        readonly code: string;
        readonly promisesResult: boolean;
        readonly positions: Positions;
        /** Loading its module runs no line of it. */
        readonly importsNothing?: boolean | undefined;
      }
    | { readonly ok: false; readonly error: ExecutionError }
  >;
}

export interface Typechecker {
  check(program: {
    readonly code: string;
    readonly files: Readonly<Record<string, string>>;
    readonly snapshotDir: string;
    readonly signal: AbortSignal;
  }): Promise<ExecutionError | null>;
}

export interface Program<Positions = unknown> {
  readonly code: string;
  readonly args: Readonly<Record<string, unknown>>;
  readonly files: Readonly<Record<string, string>>;
  readonly promisesResult: boolean;
  readonly positions: Positions;
  readonly timeoutMs: number;
  readonly nextChannel?: string | undefined;
  readonly determinism?: Determinism | undefined;
  /** The sandbox has it and waits for the word. */
  readonly isSentAhead?: boolean | undefined;
}

/** Sends a program of which no line runs before `RunProgram` is called with `isSentAhead`. */
export type SendAhead = (
  sandbox: Sandbox,
  program: Omit<SentProgram, 'nextChannel'>,
  options: { readonly importsNothing: boolean },
) => void;

/** What the program does outside of its sandbox. */
export interface ProgramHooks {
  onOutput(text: string): void;
  onCall(
    call: { readonly tool: string; readonly args: unknown; readonly journal?: CallJournal | undefined },
    signal: AbortSignal,
  ): Promise<ToolCallReply>;
  onDiscover(operation: DiscoveryOperation, params: unknown): Promise<ToolCallReply>;
  onLeftBehind?(left: LeftBehind): Promise<void>;
  onControls?(controls: ProgramControls): void;
}

export type ProgramOutcome = Omit<SandboxOutcome, 'violations' | 'peakMemoryBytes' | 'kept'> & { readonly kept?: boolean | undefined };

/** Never rejects for what the program does; an aborted `signal` kills it and keeps what it printed. */
export type RunProgram<Positions = unknown> = (
  sandbox: Sandbox,
  program: Program<Positions>,
  hooks: ProgramHooks,
  signal: AbortSignal,
) => Promise<ProgramOutcome>;

/** The tool side's journal, for executions whose process died. */
export type EffectsOf = (executionId: string) => Promise<Effects>;
