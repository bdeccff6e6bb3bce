import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { executorSettings, sessionSettings } from '@code-executor/executions';
import { LOG_LEVELS, readConfig, tracingSettings, wholeNumber } from '@code-executor/platform';
import { z } from 'zod';

/** Every variable of the worker; docs/configuration.md explains them to operators. */
const schema = z.object({
  ...executorSettings,
  ...tracingSettings,
  /** Of health and metrics alone: nothing of an execution passes there. */
  EXECUTOR_HOST: z.string().default('127.0.0.1'),
  EXECUTOR_PORT: wholeNumber({ min: 0, max: 65_535, unit: 'port' }).default(9093),
  /** Wrapper snapshots, sockets, and the launcher where it has to be built; all of it can be lost. */
  EXECUTOR_DATA_DIR: z.string().default(join(homedir(), '.code-executor-worker')),
  EXECUTOR_LOG_LEVEL: z.enum(LOG_LEVELS).default('info'),
  EXECUTOR_PROXY_URL: z.url({ protocol: /^https?$/ }).default('http://127.0.0.1:9092'),
  EXECUTOR_WORKER_INTERNAL_KEY: z.string(),
  REDIS_URL: z.string(),
  /** Kept beside those that run. */
  EXECUTOR_SESSIONS: sessionSettings.EXECUTOR_SESSIONS,
  /** What runs at SIGTERM may finish within it; below what the host waits before it kills. */
  EXECUTOR_DRAIN_SECONDS: wholeNumber({ min: 0, max: 3_600, unit: 'seconds' }).default(25),
});

export type WorkerConfig = z.infer<typeof schema>;

export function readWorkerConfig(environment: Readonly<Record<string, string | undefined>>): WorkerConfig {
  const config = readConfig(schema, environment);
  return { ...config, EXECUTOR_DATA_DIR: resolve(config.EXECUTOR_DATA_DIR) };
}
