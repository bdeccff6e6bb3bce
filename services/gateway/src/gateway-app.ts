import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ErrorCode, Principal, Role } from '@code-executor/contracts';
import type { Executions, ExecutionsService, Keys, McpSessions, Workspaces } from '@code-executor/executions';
import type { Closing, Span } from '@code-executor/platform';
import type { Audit, ToolAdministration } from '@code-executor/tools';
import type { FastifyBaseLogger, FastifyInstance, RawServerDefault } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import type { Registry } from 'prom-client';
import type { GatewayConfig } from './config.ts';
import type { RouteAudit } from './plugins/audit.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The least role that may use the route, or `public`. Absent: admin. */
    access?: Role | 'public';
    /** Asked every few seconds by machines: logged at debug, exempt from the rate limit, and from the Host check off loopback. */
    probe?: boolean;
    /** Asked, with a key, by what finds processes by their addresses, as Prometheus does: off loopback an IP address will do as Host. */
    scraped?: boolean;
    /** How the record tells of it. Absent: by method and path, where it changes something and agents may not use it; false: never. */
    audit?: RouteAudit | false;
  }
  interface FastifyRequest {
    principal: Principal | null;
    /** Of a body with a `document`, where the route takes one: UTF-8. */
    document: Uint8Array<ArrayBuffer> | undefined;
    /** For the log line: what the request was answered with, and the execution it was about. */
    errorCode: ErrorCode | null;
    executionId: string | null;
    /** null: it is not traced. */
    span: Span | null;
  }
}

/** A Fastify instance whose routes are typed by their zod schemas. */
export type GatewayApp = FastifyInstance<RawServerDefault, IncomingMessage, ServerResponse, FastifyBaseLogger, ZodTypeProvider>;

/** Warm sandboxes as `/health` and `/metrics` show them. Counts since the start. */
export interface PoolStats {
  readonly hits: number;
  readonly misses: number;
  /** Sandboxes that are booted and wait, by runtime. */
  readonly warm: Readonly<Record<string, number>>;
}

/** What the gateway asks of executions, and the event their metrics are counted from. */
export type ObservedExecutions = Executions & Pick<ExecutionsService, 'onExecutionEnded'>;

/** What routes are made of. */
export interface RouteDeps {
  readonly executions: ObservedExecutions;
  readonly keys: Keys;
  readonly tools: ToolAdministration;
  readonly audit: Audit;
  /** Absent: there is the home workspace alone. */
  readonly workspaces?: Workspaces | undefined;
  /** Where a person decides on an approval. */
  readonly approvalUrl: (approvalId: string) => string;
  /** Absent: clients of the MCP endpoint are served without sessions. */
  readonly mcpSessions?: McpSessions | undefined;
  readonly config: GatewayConfig;
  readonly poolStats: () => PoolStats;
  readonly missing: () => Promise<readonly string[]>;
  readonly version: string;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  readonly registry: Registry;
  readonly closing: Closing;
}
