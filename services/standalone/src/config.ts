import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { accessSettings, executorSettings, mcpSettings, sessionSettings } from '@code-executor/executions';
import { LOG_LEVELS, readConfig, tracingSettings, wholeNumber } from '@code-executor/platform';
import {
  adminToolSettings,
  approvalSettings,
  outboundSettings,
  secretSettings,
  skillSettings,
  workspaceSettings,
} from '@code-executor/tools';
import { z } from 'zod';

const count = (min: number, max: number, unit: string) => wholeNumber({ min, max, unit });

/** Every variable of the embedded form; docs/configuration.md explains them to operators. */
const schema = z.object({
  EXECUTOR_HOST: z.string().default('127.0.0.1'),
  EXECUTOR_PORT: count(0, 65_535, 'port').default(9091),
  EXECUTOR_DATA_DIR: z.string().default(join(homedir(), '.code-executor')),
  /** Where people reach the service, for the addresses it hands out (approvals); unset: the address it listens on. */
  EXECUTOR_PUBLIC_URL: z.url({ protocol: /^https?$/ }).optional(),
  EXECUTOR_MCP_SERVERS: z.string().optional(),
  EXECUTOR_LOG_LEVEL: z.enum(LOG_LEVELS).default('info'),
  /** Host names, beside loopback's, that a Host or Origin header may carry. */
  EXECUTOR_ALLOWED_HOSTS: z.string().default(''),
  /** Requests a minute of one principal; 0: no limit. */
  EXECUTOR_RATE_LIMIT: count(0, 1_000_000, 'requests a minute').default(0),
  ...executorSettings,
  ...approvalSettings,
  ...adminToolSettings,
  ...tracingSettings,
  ...outboundSettings,
  ...skillSettings,
  ...secretSettings,
  ...workspaceSettings,
  ...mcpSettings,
  ...accessSettings,
  /** Executions that wait; one more is answered 503 QUEUE_FULL. */
  EXECUTOR_QUEUE_LIMIT: count(1, 100_000, 'executions').default(1_000),
  ...sessionSettings,
  /** What programs leave behind is kept up to this much in all; what comes then is left out by name. */
  EXECUTOR_ARTIFACTS_MB: count(0, 1_000_000, 'MB').default(4_096),
  /** Days that ended executions are kept. */
  EXECUTOR_RETENTION_DAYS: count(1, 3_650, 'days').default(30),
  /** The record of acts and tool calls outlives what it tells of; a paused execution still needs its calls, hence the minimum. */
  EXECUTOR_AUDIT_RETENTION_DAYS: count(30, 3_650, 'days').default(180),
});

export interface StandaloneConfig extends z.infer<typeof schema> {
  readonly allowedHosts: readonly string[];
  readonly serversFile: string;
}

/** `deploy.sh` and the tests read the first themselves; the others are values that connections refer to. */
const FOREIGN = ['EXECUTOR_TEST_FIXTURES', 'EXECUTOR_SECRET_*'];

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
