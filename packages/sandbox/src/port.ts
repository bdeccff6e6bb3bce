import type { Readable } from 'node:stream';
import type { Runtime } from '@code-executor/contracts';
import type { FrameChannel } from './channel/frame-channel.ts';
import type { HeldWorkspace } from './workspace/open-workspace.ts';

/** Limits of one sandbox. They are part of what it is booted with: a request that wants others gets a cold one. */
export interface SandboxLimits {
  /** The whole tree of processes, tmpfs included. */
  readonly memoryMb: number;
  /** Processes and threads (RLIMIT_NPROC, set inside the user namespace). */
  readonly processes: number;
  readonly openFiles: number;
  readonly fileSizeMb: number;
  readonly workspaceMb: number;
  readonly tmpMb: number;
  readonly shmMb: number;
  /** Of each of the three tmpfs. */
  readonly inodes: number;
}

export const DEFAULT_LIMITS: SandboxLimits = {
  memoryMb: 256,
  processes: 64,
  openFiles: 256,
  fileSizeMb: 64,
  workspaceMb: 128,
  tmpMb: 64,
  shmMb: 16,
  inodes: 4096,
};

export interface SandboxSpec {
  readonly runtime: Runtime;
  /** Host directory of the immutable wrapper snapshot, mounted read-only at /workspace/servers; null: an empty one. */
  readonly snapshotDir: string | null;
  readonly limits: SandboxLimits;
  /** It is booted ahead of its program, so its runner may take the time to warm up. */
  readonly waits?: boolean | undefined;
  /** From its boot on it leaves the processors to everything else, and shares what is left with the others that yield. */
  readonly yields?: boolean | undefined;
}

/** How the sandbox's init ended. `signal` is the number of the signal that ended the *runtime* (9 after our own kill). */
export interface SandboxEnd {
  readonly exitCode: number | null;
  readonly signal: number | null;
  /** The kernel ended it for want of memory; told by adapters that bound memory themselves. */
  readonly outOfMemory?: boolean | undefined;
}

/**
 * One isolated place, used for one execution and then destroyed. It is handed out booted: the runtime is up, its
 * channel connected, its READY frame received.
 */
export interface Sandbox {
  readonly id: string;
  readonly spec: SandboxSpec;
  readonly channel: FrameChannel;
  /** stdout and stderr, merged in the order of the writes. Ends when every process of the sandbox is gone. */
  readonly output: Readable;
  /**
   * Pid, as this process sees it, of the sandbox's init: the root of the tree that the memory watch adds up. Null: its processes have
   * no pids here, and the adapter bounds their memory itself.
   */
  readonly initPid: number | null;
  /** Where the adapter bounds memory itself: resolves once the kernel had to end a process of it for want of memory. Never rejects. */
  readonly outOfMemory?: Promise<void> | undefined;
  /** True: its runtime is gone, and `ended` follows when it is known how. Absent where that is at once. */
  readonly isEnding?: (() => boolean) | undefined;
  /** Resolves once, when no process of the sandbox is left. Never rejects. */
  readonly ended: Promise<SandboxEnd>;
  /** The caller's from now on, to be released by it; null: it cannot be had here. Call it once, before the program is sent. */
  takeWorkspace(): HeldWorkspace | null;
  /** SIGKILLs every process. Idempotent; `ended` says when it is done. */
  kill(): void;
  /** Stops, and continues, every process of the sandbox. */
  freeze(): void;
  thaw(): void;
}

/** One way of making sandboxes. Every adapter passes `sandbox.testsuite.ts`. */
export interface SandboxAdapter {
  readonly name: 'launcher' | 'bubblewrap' | 'container';
  /** Promises of the design that this adapter cannot keep here, as known since the first boot; shown by `doctor` and at start. */
  readonly degradations: readonly string[];
  /** Boots one sandbox. Throws AppError SANDBOX_UNAVAILABLE with the reason; leaves nothing behind when it throws or is aborted. */
  boot(spec: SandboxSpec, signal?: AbortSignal): Promise<Sandbox>;
  /** Kills every sandbox of this adapter and frees what it holds. */
  close(): Promise<void>;
}
