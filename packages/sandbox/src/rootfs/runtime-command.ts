import type { Runtime } from '@code-executor/contracts';
import type { SandboxLimits } from '../port.ts';

export interface RuntimeCommand {
  readonly argv: readonly string[];
  /** The whole environment: nothing of the service's own is inherited. */
  readonly environment: Readonly<Record<string, string>>;
}

/** What a sandbox executes, by paths inside it. The runner sends READY on descriptor 3 and then waits for RUN. */
export function runtimeCommand(runtime: Runtime, waits = false): RuntimeCommand {
  const { argv, environment } = COMMANDS[runtime];
  return { argv, environment: waits ? { ...environment, RUNNER_WARM_UP: '1' } : environment };
}

/**
 * RLIMIT_DATA of one process. JavaScript engines map far more than they touch, so theirs is the memory limit plus what the
 * idle runtime maps; the memory of the whole tree is watched besides.
 */
export function dataLimitMb(runtime: Runtime, limits: SandboxLimits): number {
  return limits.memoryMb + IDLE_DATA_MB[runtime];
}

/** No program needs more: the longest execution, spinning on two cores. */
export const CPU_LIMIT_SECONDS = 600;

/** Measured as VmData of an idle sandbox of each runtime, rounded up: Bun 1.4, CPython 3.11, Node 24. */
const IDLE_DATA_MB: Readonly<Record<Runtime, number>> = { typescript: 352, python: 64, node: 704 };

const COMMON_ENVIRONMENT = {
  PATH: '/opt/runtimes:/usr/local/bin:/usr/bin:/bin',
  HOME: '/workspace',
  TMPDIR: '/tmp',
  LANG: 'C.UTF-8',
  TERM: 'dumb',
  USER: 'sandbox',
};

const COMMANDS: Readonly<Record<Runtime, RuntimeCommand>> = {
  typescript: {
    argv: ['/opt/runtimes/bun', '--no-install', '--no-env-file', '/opt/runners/typescript/runner.ts'],
    environment: {
      ...COMMON_ENVIRONMENT,
      // Under RLIMIT_DATA the default reservation fails, and Bun then runs without a JIT and without a word.
      BUN_JSC_jitMemoryReservationSize: String(32 * 1024 * 1024),
      BUN_RUNTIME_TRANSPILER_CACHE_PATH: '0',
      // One file is translated sooner on the thread that waits for it than on one of a pool that is to be started and woken.
      BUN_FEATURE_FLAG_DISABLE_ASYNC_TRANSPILER: '1',
      DO_NOT_TRACK: '1',
    },
  },
  python: {
    argv: ['/usr/bin/python3', '-I', '-S', '-B', '-u', '/opt/runners/python/runner.py', '/opt/python-packages'],
    environment: { ...COMMON_ENVIRONMENT, PYTHONDONTWRITEBYTECODE: '1' },
  },
  node: {
    argv: ['/opt/runtimes/node', '--experimental-transform-types', '--no-warnings', '/opt/runners/node/runner.ts'],
    environment: { ...COMMON_ENVIRONMENT, NODE_COMPILE_CACHE: '' },
  },
};
