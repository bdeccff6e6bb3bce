import { wholeNumber } from '@code-executor/platform';
import { z } from 'zod';
import { DEFAULT_LIMITS, type SandboxLimits } from './port.ts';

const megabytes = (min: number) => wholeNumber({ min, max: 1_024, unit: 'MB' });
const count = (min: number, max: number, unit: string) => wholeNumber({ min, max, unit });

/** The variables of a sandbox's limits: of whoever runs programs, and of the service that makes containers the most that may be asked for. */
export const sandboxLimitSettings = {
  EXECUTOR_MEMORY_MB: megabytes(64).default(DEFAULT_LIMITS.memoryMb),
  EXECUTOR_PROCESSES: count(16, 4_096, 'processes').default(DEFAULT_LIMITS.processes),
  EXECUTOR_OPEN_FILES: count(64, 65_536, 'files').default(DEFAULT_LIMITS.openFiles),
  EXECUTOR_FILE_SIZE_MB: megabytes(1).default(DEFAULT_LIMITS.fileSizeMb),
  EXECUTOR_WORKSPACE_MB: megabytes(1).default(DEFAULT_LIMITS.workspaceMb),
  EXECUTOR_TMP_MB: megabytes(1).default(DEFAULT_LIMITS.tmpMb),
  EXECUTOR_SHM_MB: megabytes(1).default(DEFAULT_LIMITS.shmMb),
  EXECUTOR_INODES: count(256, 1_000_000, 'inodes').default(DEFAULT_LIMITS.inodes),
};

const settings = z.object(sandboxLimitSettings);

export const sandboxLimitsOf = (config: z.infer<typeof settings>): SandboxLimits => ({
  memoryMb: config.EXECUTOR_MEMORY_MB,
  processes: config.EXECUTOR_PROCESSES,
  openFiles: config.EXECUTOR_OPEN_FILES,
  fileSizeMb: config.EXECUTOR_FILE_SIZE_MB,
  workspaceMb: config.EXECUTOR_WORKSPACE_MB,
  tmpMb: config.EXECUTOR_TMP_MB,
  shmMb: config.EXECUTOR_SHM_MB,
  inodes: config.EXECUTOR_INODES,
});
