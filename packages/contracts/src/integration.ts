import { z } from 'zod';

/** `mcp`: a supervised MCP server; the others: an API that a document describes. */
export const INTEGRATION_KINDS = ['mcp', 'openapi', 'graphql', 'google-discovery'] as const;
export type IntegrationKind = (typeof INTEGRATION_KINDS)[number];

/** The fields of `POST /integrations`; which go together is the gateway's to say. */
export const newIntegrationShape = {
  slug: z
    .string()
    .regex(/^[a-z0-9][a-z0-9_-]{0,63}$/)
    .describe('1 to 64 of a–z, 0–9, - and _, the first a letter or digit'),
  kind: z.literal('mcp'),
  url: z.url({ protocol: /^https?$/ }).optional(),
  headers: z.record(z.string(), z.string()).optional(),
  command: z.string().min(1).max(4_096).optional(),
  args: z.array(z.string()).max(256).optional(),
  env: z.record(z.string(), z.string()).optional(),
  cwd: z.string().min(1).max(4_096).optional(),
  trust: z.union([z.boolean(), z.literal('annotations')]).optional(),
  lazy: z.boolean().optional(),
  sandbox: z.strictObject({ mounts: z.array(z.string()).max(64).optional(), network: z.boolean().optional() }).optional(),
} as const;
