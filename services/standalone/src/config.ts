import { availableParallelism, homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { LOG_LEVELS, readConfig, wholeNumber } from '@code-executor/platform';
import { DEFAULT_LIMITS } from '@code-executor/sandbox';
import { z } from 'zod';

const cores = availableParallelism();
const megabytes = (min: number, max: number) => wholeNumber({ min, max, unit: 'MB' });
const count = (min: number, max: number, unit: string) => wholeNumber({ min, max, unit });

/** Every variable of the embedded form; docs/configuration.md explains them to operators. */
const schema = z.object({
  EXECUTOR_HOST: z.string().default('127.0.0.1'),
  EXECUTOR_PORT: count(0, 65_535, 'port').default(9091),
  EXECUTOR_DATA_DIR: z.string().default(join(homedir(), '.code-executor')),
  EXECUTOR_MCP_SERVERS: z.string().optional(),
  EXECUTOR_LOG_LEVEL: z.enum(LOG_LEVELS).default('info'),
  /** Host names, beside loopback's, that a Host or Origin header may carry. */
  EXECUTOR_ALLOWED_HOSTS: z.string().default(''),
  /** Requests a minute of one principal; 0: no limit. */
  EXECUTOR_RATE_LIMIT: count(0, 1_000_000, 'requests a minute').default(0),
  /** Warm sandboxes. A burst of as many simple programs is answered warm; each idle one costs some 5 MB. */
  EXECUTOR_POOL_TYPESCRIPT: count(0, 256, 'sandboxes').default(Math.max(4, cores * 4)),
  EXECUTOR_POOL_PYTHON: count(0, 256, 'sandboxes').default(Math.max(3, cores * 3)),
  /** Executions that run at once; each may use up to the memory limit. */
  EXECUTOR_CONCURRENCY: count(1, 1_024, 'executions').default(Math.max(16, cores * 8)),
  /** Executions that wait; one more is answered 503 QUEUE_FULL. */
  EXECUTOR_QUEUE_LIMIT: count(1, 100_000, 'executions').default(1_000),
  EXECUTOR_MEMORY_MB: megabytes(64, 1_024).default(DEFAULT_LIMITS.memoryMb),
  EXECUTOR_PROCESSES: count(16, 4_096, 'processes').default(DEFAULT_LIMITS.processes),
  EXECUTOR_OPEN_FILES: count(64, 65_536, 'files').default(DEFAULT_LIMITS.openFiles),
  EXECUTOR_FILE_SIZE_MB: megabytes(1, 1_024).default(DEFAULT_LIMITS.fileSizeMb),
  EXECUTOR_WORKSPACE_MB: megabytes(1, 1_024).default(DEFAULT_LIMITS.workspaceMb),
  EXECUTOR_TMP_MB: megabytes(1, 1_024).default(DEFAULT_LIMITS.tmpMb),
  EXECUTOR_SHM_MB: megabytes(1, 1_024).default(DEFAULT_LIMITS.shmMb),
  EXECUTOR_INODES: count(256, 1_000_000, 'inodes').default(DEFAULT_LIMITS.inodes),
  /** Days that ended executions are kept. */
  EXECUTOR_RETENTION_DAYS: count(1, 3_650, 'days').default(30),
  /** Directory of Python packages that programs may import. */
  EXECUTOR_PYTHON_PACKAGES_DIR: z.string().optional(),
  /** `launcher` needs a C compiler at the first start, `bubblewrap` needs bwrap; `auto` takes the first that works. */
  EXECUTOR_SANDBOX: z.enum(['auto', 'launcher', 'bubblewrap']).default('auto'),
});

export interface StandaloneConfig extends z.infer<typeof schema> {
  readonly allowedHosts: readonly string[];
  readonly serversFile: string;
}

/** `deploy.sh` and the tests read these themselves. */
const FOREIGN = ['EXECUTOR_TEST_FIXTURES'];

export function readStandaloneConfig(environment: Readonly<Record<string, string | undefined>>): StandaloneConfig {
  const config = readConfig(schema, environment, FOREIGN);
  const dataDir = resolve(config.EXECUTOR_DATA_DIR);
  return {
    ...config,
    EXECUTOR_DATA_DIR: dataDir,
    allowedHosts: config.EXECUTOR_ALLOWED_HOSTS.split(',')
      .map((host) => host.trim())
      .filter((host) => host !== ''),
    serversFile: config.EXECUTOR_MCP_SERVERS ? resolve(config.EXECUTOR_MCP_SERVERS) : join(dataDir, 'mcp-servers.json'),
  };
}
