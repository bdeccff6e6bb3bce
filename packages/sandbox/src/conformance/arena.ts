import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ToolCallReply } from '@code-executor/contracts';
import { createLogger } from '@code-executor/platform';
import { createMemoryWatch } from '../memory-watch/create-memory-watch.ts';
import { openSandboxAdapter } from '../open-adapter.ts';
import { DEFAULT_LIMITS, type Sandbox, type SandboxAdapter, type SandboxLimits } from '../port.ts';
import { IDENTITY_POSITIONS } from '../program/position-map.ts';
import { type Program, type ProgramOutcome, runProgram } from '../program/run-program.ts';
import { type Outside, observeTree } from './measure-outside.ts';

/** How one hostile program ended, and what was seen of it from outside. */
export interface Bout extends ProgramOutcome {
  readonly result: unknown;
  /** Highest sum of PSS, page tables and tmpfs that was sampled every 5 ms by the test itself. */
  readonly peakMb: number;
  /** From the reason of the end until no process of the sandbox was left. */
  readonly recoveryMs: number;
  readonly processesLeft: number;
  /** Calls that reached the tools' side. */
  readonly calls: readonly { readonly id: number; readonly tool: string; readonly args: unknown }[];
}

export interface BoutOptions {
  readonly timeoutMs?: number;
  readonly limits?: Partial<SandboxLimits>;
  readonly files?: Readonly<Record<string, string>>;
  readonly args?: Readonly<Record<string, unknown>>;
  readonly snapshotDir?: string;
  readonly promisesResult?: boolean;
}

/** A real adapter with the real runners and the real memory watch; nothing of the product stands in for itself. */
export interface Arena {
  readonly adapter: SandboxAdapter;
  readonly dataDir: string;
  /** TypeScript statements, run as the body that `prepare` makes of a program with a top-level return. */
  typescript(statements: string, options?: BoutOptions): Promise<Bout>;
  python(code: string, options?: BoutOptions): Promise<Bout>;
  initPidOf(sandbox: Sandbox): Promise<number>;
  /** How long a simple program takes in a sandbox that is booted now. */
  neighbourMs(): Promise<number>;
  /** The same beside a case. Not beside each of them where a neighbour costs an engine half a second: 0 then. */
  besideMs(): Promise<number>;
  close(): Promise<void>;
}

/** What an adapter needs that is no part of this process, and how its sandboxes are looked at. */
export interface Surroundings {
  readonly containers: { readonly socketPath: string; readonly key: string };
  observe(sandbox: Sandbox): Promise<Outside>;
  /** As this process sees it. */
  initPidOf(sandbox: Sandbox): Promise<number>;
  close(): Promise<void>;
}

export async function openArena(name: SandboxAdapter['name'], surroundings: Surroundings | null): Promise<Arena> {
  const dataDir = await mkdtemp(join(tmpdir(), 'secret-data-dir-'));
  const snapshotsDir = join(dataDir, 'snapshots');
  await mkdir(snapshotsDir);
  const log = createLogger({ level: 'silent', service: 'conformance' });
  const adapter = await openSandboxAdapter({ adapter: name, dataDir, snapshotsDir, containers: surroundings?.containers, log });
  const memoryWatch = createMemoryWatch();

  const run = async (runtime: 'typescript' | 'python', code: string, options: BoutOptions): Promise<Bout> => {
    const limits = { ...DEFAULT_LIMITS, ...options.limits };
    const sandbox = await adapter.boot({ runtime, snapshotDir: options.snapshotDir ?? null, limits });
    const outside = await (surroundings?.observe(sandbox) ?? observeTree(sandbox.initPid ?? 0));
    const calls: { id: number; tool: string; args: unknown }[] = [];
    const hooks = {
      onCall: async (call: { id: number; tool: string; args: unknown }): Promise<ToolCallReply> => {
        calls.push({ id: call.id, tool: call.tool, args: call.args });
        return { ok: true, value: { echoed: call.args } };
      },
      onDiscover: async (): Promise<ToolCallReply> => ({ ok: true, value: [] }),
    };
    const program: Program = {
      code,
      args: options.args ?? {},
      files: options.files ?? {},
      promisesResult: options.promisesResult ?? true,
      positions: IDENTITY_POSITIONS,
      timeoutMs: options.timeoutMs ?? 30_000,
    };
    try {
      const outcome = await runProgram(sandbox, program, hooks, { signal: new AbortController().signal, memoryWatch });
      return { ...(await afterwards(sandbox, outside, outcome)), calls };
    } finally {
      outside.close();
      sandbox.kill();
      await sandbox.ended;
    }
  };

  const neighbourMs = async (): Promise<number> => {
    const before = performance.now();
    const bout = await run('python', '40 + 2', { timeoutMs: 20_000 });
    if (bout.result !== 42) throw new Error(`the neighbour ended with ${bout.error?.code}: ${bout.error?.message}`);
    return performance.now() - before;
  };
  let cases = 0;

  return {
    adapter,
    dataDir,
    typescript: (statements, options = {}) => run('typescript', `export const __executionBody = async () => {${statements}\n};`, options),
    python: (code, options = {}) => run('python', code, options),
    initPidOf: async (sandbox) => sandbox.initPid ?? (await surroundings?.initPidOf(sandbox)) ?? 0,
    neighbourMs,
    besideMs() {
      cases += 1;
      return surroundings === null || cases % CASES_TO_A_NEIGHBOUR === 0 ? neighbourMs() : Promise.resolve(0);
    },
    async close() {
      await adapter.close();
      await memoryWatch.close();
      await surroundings?.close();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

const CASES_TO_A_NEIGHBOUR = 10;

async function afterwards(sandbox: Sandbox, outside: Outside, outcome: ProgramOutcome): Promise<Omit<Bout, 'calls'>> {
  const endedAt = performance.now();
  const ended = await Promise.race([sandbox.ended.then(() => true), new Promise<false>((resolve) => setTimeout(resolve, 10_000, false))]);
  if (!ended) throw new Error('The sandbox was not gone ten seconds after its program had ended');
  const recoveryMs = performance.now() - endedAt;
  return {
    ...outcome,
    result: outcome.resultJson === null ? null : JSON.parse(outcome.resultJson),
    peakMb: Math.round(outside.peakBytes() / (1024 * 1024)),
    recoveryMs,
    processesLeft: outside.processesLeft(),
  };
}
