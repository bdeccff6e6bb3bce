import { resolve } from 'node:path';
import { LOG_LEVELS, readConfig, wholeNumber } from '@code-executor/platform';
import { sandboxLimitSettings } from '@code-executor/sandbox';
import { z } from 'zod';

/** Every variable of the service that makes containers; docs/configuration.md explains them to operators. */
const schema = z.object({
  EXECUTOR_LOG_LEVEL: z.enum(LOG_LEVELS).default('info'),
  /** Its socket, the directories that it shares with workers and containers, and its copies of wrapper files. All of it can be lost. */
  EXECUTOR_DATA_DIR: z.string().default('/var/lib/container-pool'),
  /** The same directory as the engine sees it; found by asking the engine about this service's own container. */
  EXECUTOR_CONTAINER_HOST_DIR: z.string().optional(),
  EXECUTOR_CONTAINER_KEY: z.string().min(32),
  EXECUTOR_CONTAINER_ENGINE: z.string().default('/var/run/docker.sock'),
  EXECUTOR_CONTAINER_IMAGE: z.string().default('code-executor/sandbox:local'),
  /** `runsc` for gVisor, or Kata's, as the engine's own configuration names it. */
  EXECUTOR_CONTAINER_RUNTIME: z
    .string()
    .regex(/^[\w.-]+$/)
    .optional(),
  EXECUTOR_CONTAINER_CPUS: z
    .string()
    .regex(/^\d+(\.\d+)?$/)
    .transform(Number)
    .refine((cpus) => cpus >= 0.1 && cpus <= 256, 'must be from 0.1 to 256')
    .default(1),
  /** Living at once, warm ones included. */
  EXECUTOR_CONTAINERS: wholeNumber({ min: 1, max: 4_096, unit: 'containers' }).default(128),
  /** Each living container has a user of its own, from this one on. */
  EXECUTOR_CONTAINER_FIRST_UID: wholeNumber({ min: 1_000, max: 4_000_000_000, unit: 'uid' }).default(50_000),
  /** The most that a worker may ask for. */
  ...sandboxLimitSettings,
});

export type ContainerPoolConfig = z.infer<typeof schema>;

export function readContainerPoolConfig(environment: Readonly<Record<string, string | undefined>>): ContainerPoolConfig {
  const config = readConfig(schema, environment);
  return { ...config, EXECUTOR_DATA_DIR: resolve(config.EXECUTOR_DATA_DIR) };
}
