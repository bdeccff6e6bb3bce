import { z } from 'zod';

/** `mcp`: a supervised MCP server; the others: an API that a document describes. Plugins bring kinds of their own. */
export type IntegrationKind = 'mcp' | 'openapi' | 'graphql' | 'google-discovery' | (string & {});
export const integrationKindSchema: z.ZodType<IntegrationKind> = z
  .string()
  .regex(/^[a-z][a-z0-9-]{0,31}$/)
  .describe('mcp, openapi, graphql, google-discovery, or that of a plugin');

/** The largest description of an API that is taken. */
export const DOCUMENT_LIMIT_BYTES = 32 * 1024 * 1024;

const trust = z.union([z.boolean(), z.literal('annotations')]);
const httpUrl = z.url({ protocol: /^https?$/ }).max(4_096);

/** Fields of an integration that may be said anew, too, when it is refreshed. */
const baseUrl = httpUrl.describe('where calls go, in place of what the document says');

/** The fields of `POST /integrations` but for the document; which go together is the tool domain's to say. */
export const newIntegrationShape = {
  slug: z
    .string()
    .regex(/^[a-z0-9][a-z0-9_-]{0,63}$/)
    .describe('1 to 64 of a–z, 0–9, - and _, the first a letter or digit'),
  kind: integrationKindSchema
    .optional()
    .describe('mcp, openapi, graphql, google-discovery, or that of a plugin; found out where it is left out'),
  url: httpUrl.optional().describe('of the document, of a GraphQL endpoint or of an MCP server'),
  headers: z.record(z.string(), z.string()).optional(),
  command: z.string().min(1).max(4_096).optional(),
  args: z.array(z.string()).max(256).optional(),
  env: z.record(z.string(), z.string()).optional(),
  cwd: z.string().min(1).max(4_096).optional(),
  baseUrl: baseUrl.optional(),
  trust: trust.optional(),
  lazy: z.boolean().optional(),
  timeoutMs: z.int().min(1).max(3_600_000).optional().describe('of one call; 60000 by default'),
  readOnlyTools: z
    .array(z.string().min(1).max(256))
    .max(1_000)
    .optional()
    .describe('tools, or patterns of their names, that you declare free of effects'),
  sandbox: z.strictObject({ mounts: z.array(z.string()).max(64).optional(), network: z.boolean().optional() }).optional(),
} as const;

/** The fields of `POST /integrations/:slug/refresh` but for the document. */
export const integrationChangeShape = { baseUrl: baseUrl.optional() } as const;

/** A description of an API: its text, or the JSON itself. */
export const documentSchema = z.union([z.string(), z.record(z.string(), z.unknown())]);

export const integrationRecordSchema = z.object({
  slug: z.string(),
  kind: integrationKindSchema,
  origin: z.enum(['file', 'api']),
  state: z.enum(['starting', 'ready', 'idle', 'broken', 'stopped']),
  reason: z.string().nullable().describe('why it is broken'),
  progress: z.number().nullable().describe('0 to 1 while its document is read'),
  toolCount: z.int(),
  trust,
  warnings: z.array(z.string()),
  restarts: z.int(),
  document: z
    .object({
      title: z.string(),
      version: z.string(),
      format: z.string(),
      baseUrl: z.string().nullable().describe('where calls go'),
      operations: z.int().describe('those the document has'),
      securitySchemes: z.array(z.object({ name: z.string(), type: z.string() })),
      readAt: z.string(),
    })
    .nullable()
    .describe('what its document says; null for an MCP server'),
});
export type IntegrationRecord = z.infer<typeof integrationRecordSchema>;

export const integrationChangesSchema = integrationRecordSchema.extend({
  added: z.array(z.string()),
  removed: z.array(z.string()),
  changed: z.array(z.string()),
});
export type RefreshedIntegration = z.infer<typeof integrationChangesSchema>;

export const detectedIntegrationSchema = z.object({
  kind: integrationKindSchema,
  why: z.string().describe('how it was recognized'),
  title: z.string(),
  version: z.string().nullable(),
  operations: z.int().nullable().describe('null for an MCP server'),
  baseUrl: z.string().nullable(),
  warnings: z.array(z.string()),
});
export type DetectedIntegration = z.infer<typeof detectedIntegrationSchema>;
