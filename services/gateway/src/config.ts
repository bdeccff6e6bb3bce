import { isIPv4 } from 'node:net';
import { RUNTIMES } from '@code-executor/contracts';
import { z } from 'zod';

/** What the gateway is told by its caller; every field has a default that works on a loopback address. */
export const gatewayConfigSchema = z
  .strictObject({
    /** The address it is bound to. Decides how Host is checked, see plugins/host-check.ts. */
    host: z.string().min(1).default('127.0.0.1'),
    /** Further host names it answers to, without port: those of a reverse proxy, say. */
    allowedHosts: z.array(z.string().min(1)).default([]),
    /** Where people reach it, for the addresses that it hands out; null: the address it listens on. */
    publicUrl: z
      .url({ protocol: /^https?$/ })
      .nullable()
      .default(null),
    /** Ids of keys whose own MCP clients may put decisions on approvals to their human. */
    inbandApproval: z.array(z.string()).default([]),
    /** Languages there is a runtime for on this host. */
    runtimes: z
      .array(z.enum(RUNTIMES))
      .min(1)
      .default([...RUNTIMES]),
    /** Of a whole request body. `files` of an execution may be large; its code has a limit of its own. */
    bodyLimitBytes: z
      .int()
      .min(1024)
      .default(8 * 1024 * 1024),
    /** Requests of one principal in a minute; null: unlimited, which is right where only this machine can call. */
    rateLimitPerMinute: z.int().min(1).nullable().default(null),
    /** Between two heartbeats of an event stream; also how long a revoked key keeps one open. */
    heartbeatMs: z.int().min(10).default(15_000),
    /** How long answers that are being waited for may still take after close() was called. */
    shutdownGraceMs: z.int().min(0).default(10_000),
    /** From the first byte of a connection to the end of its headers (slowloris). */
    headersTimeoutMs: z.int().min(100).default(10_000),
    /** From the first byte to the end of the body: 8 MB in this time is 140 KB/s. */
    requestTimeoutMs: z.int().min(100).default(60_000),
    /** A client that takes nothing of an answer for so long is cut off; several heartbeats, or it would cut event streams. */
    stalledReaderTimeoutMs: z.int().min(100).default(60_000),
    /** An idle connection is kept so long: above the 60 s of common load balancers. */
    keepAliveTimeoutMs: z.int().min(100).default(72_000),
    /** Connections at once; a quarter of the 4,096 descriptors a service commonly has, for sandboxes need theirs. */
    maxConnections: z.int().min(1).default(1_024),
  })
  .refine(({ heartbeatMs, stalledReaderTimeoutMs }) => stalledReaderTimeoutMs >= 2 * heartbeatMs, {
    path: ['stalledReaderTimeoutMs'],
    message: 'must be at least twice heartbeatMs, or event streams are cut off while nothing happens',
  });
export type GatewayConfig = z.output<typeof gatewayConfigSchema>;
export type GatewayConfigInput = z.input<typeof gatewayConfigSchema>;

export const LOOPBACK_HOSTS: readonly string[] = ['localhost', '127.0.0.1', '[::1]'];

/** Whether only this machine can reach an address. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host === '[::1]' || (isIPv4(host) && host.startsWith('127.'));
}
