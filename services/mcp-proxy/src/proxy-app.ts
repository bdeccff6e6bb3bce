import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { ErrorCode } from '@code-executor/contracts';
import type { ExecutionLedger, SessionLedger, StoredArtifacts } from '@code-executor/executions';
import type { ClaimGrant, Closing, Grants, ServiceIdentity, ServiceRole } from '@code-executor/platform';
import type { ToolAdministration, ToolDomain } from '@code-executor/tools';
import type { FastifyBaseLogger, FastifyInstance } from 'fastify';
import type { Registry } from 'prom-client';
import type { ProxyMetrics } from './plugins/metrics.ts';
import type { PublishedCatalog } from './published-catalog.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Who is let in: a service of this role, either of them, the holder of an execution's grant, or anybody. Absent: nobody. */
    caller?: ServiceRole | 'grant' | 'public';
  }
  interface FastifyRequest {
    service: ServiceIdentity | null;
    /** As it was verified, and as it was shown. */
    grant: { readonly grant: ClaimGrant; readonly bearer: string } | null;
    errorCode: ErrorCode | null;
  }
}

export type ProxyApp = FastifyInstance<Server, IncomingMessage, ServerResponse, FastifyBaseLogger>;

/** What is asked of the tool domain here. */
export type ProxiedTools = Pick<ToolDomain, 'callTool' | 'discover' | 'snapshotDir' | keyof ToolAdministration>;

/** Whether one thing that the proxy cannot do without is there. */
export interface Readiness {
  /** What is waited for, by name; empty: send it work. */
  waitingFor(): Promise<readonly string[]>;
}

/** What routes are made of. */
export interface RouteDeps {
  readonly ledger: ExecutionLedger;
  readonly sessions: SessionLedger;
  readonly artifacts: Pick<StoredArtifacts, 'keepFile' | 'keepIndex'>;
  readonly tools: ProxiedTools;
  readonly catalog: PublishedCatalog;
  readonly grants: Pick<Grants, 'verify'>;
  /** Whether the claim that a grant was given for holds. */
  readonly isHeld: (claim: Pick<ClaimGrant, 'executionId' | 'token'>) => Promise<boolean>;
  readonly verifyService: (token: string) => Promise<ServiceIdentity>;
  readonly readiness: Readiness;
  readonly registry: Registry;
  readonly metrics: ProxyMetrics;
  readonly closing: Closing;
  readonly version: string;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
}
