import type { Principal } from '@code-executor/contracts';
import { z } from 'zod';
import type { GatewayApp, RouteDeps } from '../../gateway-app.ts';
import { bearerToken } from '../../plugins/authenticate.ts';
import { summaryOf } from '../../tools-summary.ts';
import { errorResponses } from '../../validation/route-responses.ts';

const healthSchema = z.object({
  status: z
    .enum(['ok', 'degraded', 'stopping'])
    .describe(
      'degraded: an integration is broken, and GET /integrations says why, or redis, postgres or the MCP proxy does not answer, as GET /health/ready says',
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
  const { executions, keys, tools, workspaces, poolStats, missing, version, startedAt, closing } = deps;
  // Once started it stays so: an integration that is added later makes nobody wait.
  let wasReady = false;

  app.get(
    '/health',
    {
      config: { access: 'public', probe: true },
      exposeHeadRoute: true,
      schema: {
        summary: 'How it is',
        description:
          'With a key, the servers of its workspace; without one those of the home workspace, or none where there are several workspaces.',
        security: [],
        response: { 200: healthSchema, ...errorResponses([], 'public') },
      },
    },
    async (request) => {
      const asker = await askerOf(bearerToken(request.headers.authorization));
      const [summary, lacking] = await Promise.all([summaryOf(tools, asker), missing()]);
      const all = Object.entries(summary?.servers ?? {});
      // Where there are several workspaces, the servers of one are nobody else's business.
      const entries = asker === null && workspaces?.areSeveral() === true ? [] : all;
      const broken = summary === null || lacking.length > 0 || all.some(([, { state }]) => state === 'broken');
      return {
        status: closing.begun ? ('stopping' as const) : broken ? ('degraded' as const) : ('ok' as const),
        version,
        uptime: Math.round((Date.now() - startedAt) / 100) / 10,
        servers: Object.fromEntries(entries.map(([slug, { state }]) => [slug, state])),
        totalTools: entries.length === 0 ? 0 : (summary?.totalTools ?? 0),
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
          503: readySchema.describe(
            'Integrations are still starting, or what it cannot do without does not answer: redis, postgres, mcp-proxy.',
          ),
        },
      },
    },
    async (_request, reply) => {
      const [lacking, starting] = await Promise.all([missing(), unstarted()]);
      wasReady ||= lacking.length + starting.length === 0;
      const waitingFor = [...lacking, ...starting];
      return reply.code(waitingFor.length === 0 ? 200 : 503).send({ ready: waitingFor.length === 0, waitingFor });
    },
  );

  /** A key that is not known is none: who probes is answered whatever it shows. */
  async function askerOf(token: string | null): Promise<Principal | null> {
    return token === null ? null : await keys.authenticate(token);
  }

  async function unstarted(): Promise<string[]> {
    const summary = await summaryOf(tools);
    if (summary === null) return ['mcp-proxy'];
    if (wasReady) return [];
    return Object.entries(summary.servers)
      .filter(([, { state }]) => state === 'starting')
      .map(([slug]) => slug);
  }
}
