import { z } from 'zod';
import type { GatewayApp, RouteDeps } from '../../gateway-app.ts';
import { summaryOf } from '../../tools-summary.ts';
import { errorResponses } from '../../validation/route-responses.ts';

const healthSchema = z.object({
  status: z
    .enum(['ok', 'degraded', 'stopping'])
    .describe(
      'degraded: an integration is broken, and GET /integrations says why, or the MCP proxy does not answer, and there are no servers here',
    ),
  version: z.string(),
  uptime: z.number().describe('seconds'),
  servers: z.record(z.string(), z.string()).describe('state of each integration'),
  totalTools: z.int(),
  toolsByServer: z.record(z.string(), z.int()),
  queue: z.object({ queued: z.int(), running: z.int() }),
  pool: z.object({ hits: z.int(), misses: z.int(), warm: z.record(z.string(), z.int()) }),
});

const readySchema = z.object({ ready: z.boolean(), waitingFor: z.array(z.string()) });

/** For people and orchestrators; no key, and nothing here is a secret. Reasons of failures are behind a key. */
export function registerHealthRoutes(app: GatewayApp, deps: RouteDeps): void {
  const { executions, tools, poolStats, version, startedAt, closing } = deps;
  // Once ready it stays so until it stops: an integration that is added later makes nobody wait.
  let wasReady = false;

  app.get(
    '/health',
    {
      config: { access: 'public', probe: true },
      exposeHeadRoute: true,
      schema: { summary: 'How it is', security: [], response: { 200: healthSchema, ...errorResponses([], 'public') } },
    },
    async () => {
      const summary = await summaryOf(tools);
      const entries = Object.entries(summary?.servers ?? {});
      const broken = summary === null || entries.some(([, { state }]) => state === 'broken');
      return {
        status: closing.begun ? ('stopping' as const) : broken ? ('degraded' as const) : ('ok' as const),
        version,
        uptime: Math.round((Date.now() - startedAt) / 100) / 10,
        servers: Object.fromEntries(entries.map(([slug, { state }]) => [slug, state])),
        totalTools: summary?.totalTools ?? 0,
        toolsByServer: Object.fromEntries(entries.map(([slug, server]) => [slug, server.tools])),
        queue: executions.depth(),
        pool: { ...poolStats() },
      };
    },
  );

  app.get(
    '/health/ready',
    {
      config: { access: 'public', probe: true },
      exposeHeadRoute: true,
      schema: {
        summary: 'Whether to send it work',
        security: [],
        response: {
          200: readySchema.describe('Every integration has started or failed.'),
          ...errorResponses([], 'public'),
          503: readySchema.describe('Integrations are still starting, or the MCP proxy (mcp-proxy) does not answer yet.'),
        },
      },
    },
    async (_request, reply) => {
      const waitingFor = wasReady ? [] : await unstarted();
      wasReady ||= waitingFor.length === 0;
      return reply.code(wasReady ? 200 : 503).send({ ready: wasReady, waitingFor });
    },
  );

  async function unstarted(): Promise<string[]> {
    const summary = await summaryOf(tools);
    if (summary === null) return ['mcp-proxy'];
    return Object.entries(summary.servers)
      .filter(([, { state }]) => state === 'starting')
      .map(([slug]) => slug);
  }
}
