import type { ToolDefinition } from '@code-executor/contracts';
import { AppError } from '@code-executor/platform';
import { z } from 'zod';
import type { Catalog } from './catalog-snapshots.ts';
import { createProxyClient, type ProxyClientOptions } from './proxy-client.ts';

const FETCH_TIMEOUT_MS = 20_000;

const jsonSchema = z.union([z.record(z.string(), z.unknown()), z.boolean()]);
const catalogSchema = z.object({
  version: z.string(),
  tools: z.array(z.looseObject({ server: z.string(), name: z.string(), description: z.string(), inputSchema: jsonSchema })),
});

/** Fetches the tools of the whole catalog from mcp-proxy, where they are kept. */
export function createCatalogFetcher(options: ProxyClientOptions): {
  fetch(signal: AbortSignal): Promise<Catalog>;
  close(): Promise<void>;
} {
  const client = createProxyClient({ ...options, connections: 1 });
  return {
    async fetch(signal) {
      const answer = await client.ask({ method: 'GET', path: '/internal/catalog', timeoutMs: FETCH_TIMEOUT_MS, signal });
      const parsed = catalogSchema.safeParse(answer);
      if (!parsed.success) throw new AppError('INTERNAL', `mcp-proxy's catalog cannot be read: ${z.prettifyError(parsed.error)}`);
      return { version: parsed.data.version, tools: parsed.data.tools as readonly ToolDefinition[] };
    },
    close: () => client.close(),
  };
}
