import { homedir } from 'node:os';
import { join } from 'node:path';
import { accessSettings, mcpSettings, sessionSettings } from '@code-executor/executions';
import { LOG_LEVELS, readConfig, tracingSettings, wholeNumber } from '@code-executor/platform';
import { outboundSettings } from '@code-executor/tools';
import { z } from 'zod';

const count = (min: number, max: number, unit: string) => wholeNumber({ min, max, unit });

/** Every variable of the fleet's gateway; docs/configuration.md explains them to operators. */
const schema = z.object({
  EXECUTOR_HOST: z.string().default('127.0.0.1'),
  EXECUTOR_PORT: count(0, 65_535, 'port').default(9091),
  /** Where people reach the gateway, for the addresses it hands out (approvals); unset: the address it listens on. */
  EXECUTOR_PUBLIC_URL: z.url({ protocol: /^https?$/ }).optional(),
  EXECUTOR_LOG_LEVEL: z.enum(LOG_LEVELS).default('info'),
  ...tracingSettings,
  ...mcpSettings,
  ...accessSettings,
  /** For the keys of an identity provider that lie on another private address than its issuer. */
  EXECUTOR_OUTBOUND_ALLOW: outboundSettings.EXECUTOR_OUTBOUND_ALLOW,
  DATABASE_URL: z.string(),
  REDIS_URL: z.string(),
  EXECUTOR_PROXY_URL: z.url({ protocol: /^https?$/ }).default('http://127.0.0.1:9092'),
  /** Signs what the gateway asks of mcp-proxy. */
  EXECUTOR_GATEWAY_INTERNAL_KEY: z.string(),
  /** Holds the first admin key, or gets it. */
  EXECUTOR_ADMIN_KEY_FILE: z.string().default(join(homedir(), '.code-executor', 'admin.key')),
  /** Host names, beside loopback's, that a Host or Origin header may carry. */
  EXECUTOR_ALLOWED_HOSTS: z.string().default(''),
  /** Requests a minute of one principal, counted by each gateway for itself; 0: no limit. */
  EXECUTOR_RATE_LIMIT: count(0, 1_000_000, 'requests a minute').default(0),
  /** Executions of one workspace that wait; one more is answered 503 QUEUE_FULL. A row each, so many are affordable. */
  EXECUTOR_QUEUE_LIMIT: count(1, 1_000_000, 'executions').default(20_000),
  ...sessionSettings,
  /** Days that ended executions are kept. */
  EXECUTOR_RETENTION_DAYS: count(1, 3_650, 'days').default(30),
  /** Clients' connections at once; each takes a few KB. */
  EXECUTOR_CONNECTIONS: count(16, 65_536, 'connections').default(4_096),
});

export interface GatewayServiceConfig extends z.infer<typeof schema> {
  readonly allowedHosts: readonly string[];
}

export function readGatewayServiceConfig(environment: Readonly<Record<string, string | undefined>>): GatewayServiceConfig {
  const config = readConfig(schema, environment);
  return {
    ...config,
    allowedHosts: config.EXECUTOR_ALLOWED_HOSTS.split(',')
      .map((host) => host.trim())
      .filter((host) => host !== ''),
  };
}
