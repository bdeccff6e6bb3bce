import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
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

/** Every variable of the MCP proxy; docs/configuration.md explains them to operators. */
const schema = z.object({
  /** Of the internal routes: within the fleet's network, never beyond. */
  EXECUTOR_HOST: z.string().default('127.0.0.1'),
  EXECUTOR_PORT: wholeNumber({ min: 0, max: 65_535, unit: 'port' }).default(9092),
  /** What stdio servers cannot see; holds the servers file and the seal key where nothing else is said. */
  EXECUTOR_DATA_DIR: z.string().default(join(homedir(), '.code-executor-proxy')),
  EXECUTOR_MCP_SERVERS: z.string().optional(),
  EXECUTOR_LOG_LEVEL: z.enum(LOG_LEVELS).default('info'),
  ...tracingSettings,
  ...outboundSettings,
  ...skillSettings,
  ...secretSettings,
  ...workspaceSettings,
  ...approvalSettings,
  ...adminToolSettings,
  /** What the addresses in webhooks begin with: where people reach the gateway. */
  EXECUTOR_PUBLIC_URL: z.url({ protocol: /^https?$/ }).optional(),
  DATABASE_URL: z.string(),
  REDIS_URL: z.string(),
  EXECUTOR_GATEWAY_INTERNAL_KEY: z.string(),
  EXECUTOR_WORKER_INTERNAL_KEY: z.string(),
  EXECUTOR_GRANT_KEY: z.string(),
  /** The file itself, not its content: it is made where it is missing. */
  EXECUTOR_SEAL_KEY_FILE: z.string().optional(),
  /** What programs leave behind is kept up to this much in all; what comes then is left out by name. */
  EXECUTOR_ARTIFACTS_MB: wholeNumber({ min: 0, max: 1_000_000, unit: 'MB' }).default(4_096),
  /** Tool calls under way at SIGTERM may end within it; below what the host waits before it kills. */
  EXECUTOR_DRAIN_SECONDS: wholeNumber({ min: 0, max: 3_600, unit: 'seconds' }).default(10),
  /** The record of acts and tool calls outlives what it tells of; a paused execution still needs its calls, hence the minimum. */
  EXECUTOR_AUDIT_RETENTION_DAYS: wholeNumber({ min: 30, max: 3_650, unit: 'days' }).default(180),
});

export interface ProxyConfig extends z.infer<typeof schema> {
  readonly serversFile: string;
  readonly sealKeyFile: string;
  /** Files and folders with secrets of ours, which no stdio server may see. */
  readonly secretPaths: readonly string[];
}

export function readProxyConfig(environment: Readonly<Record<string, string | undefined>>): ProxyConfig {
  // Values that connections refer to.
  const config = readConfig(schema, environment, ['EXECUTOR_SECRET_*']);
  const dataDir = resolve(config.EXECUTOR_DATA_DIR);
  return {
    ...config,
    EXECUTOR_DATA_DIR: dataDir,
    serversFile: resolve(config.EXECUTOR_MCP_SERVERS ?? join(dataDir, 'mcp-servers.json')),
    sealKeyFile: resolve(config.EXECUTOR_SEAL_KEY_FILE ?? join(dataDir, 'seal.key')),
    secretPaths: secretPaths(environment),
  };
}

/** Where secrets come from as files, and the folders that orchestrators put them in. */
function secretPaths(environment: Readonly<Record<string, string | undefined>>): string[] {
  const files = Object.keys(schema.shape).flatMap((name) => {
    const file = environment[name.endsWith('_FILE') ? name : `${name}_FILE`];
    return file === undefined || file === '' ? [] : [resolve(file)];
  });
  const mounted = files.map(dirname).filter((folder) => folder === '/run/secrets' || folder.startsWith('/run/secrets/'));
  return [...new Set([...files, ...mounted])];
}
