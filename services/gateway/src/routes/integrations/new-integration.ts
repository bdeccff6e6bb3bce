import { documentSchema, integrationChangeShape, newIntegrationShape } from '@code-executor/contracts';
import { z } from 'zod';

const document = documentSchema.optional().describe('the description of an API as text (JSON, YAML, GraphQL SDL), or as JSON itself');
const GO_WITH_COMMAND = ['args', 'env', 'cwd', 'sandbox'] as const;
const GO_WITH_MCP = ['command', 'headers', 'lazy'] as const;

/** Body of `POST /integrations`. */
export const newIntegrationSchema = z.strictObject({ ...newIntegrationShape, document }).superRefine((body, context) => {
  const refuse = (message: string, field?: string): void =>
    context.addIssue({ code: 'custom', message, ...(field === undefined ? {} : { path: [field] }) });
  const { kind, url, command } = body;
  const sources = [url, command, body.document].filter((field) => field !== undefined);
  if (kind === 'mcp' && (sources.length !== 1 || body.document !== undefined))
    refuse('An integration of kind "mcp" has either "url" or "command" (with "args" and "env").');
  else if (sources.length !== 1) refuse('An integration has exactly one of "url", "document" and "command".');
  for (const field of GO_WITH_COMMAND)
    if (command === undefined && body[field] !== undefined) refuse('goes with "command", not with "url"', field);
  if (command !== undefined && body.headers !== undefined) refuse('goes with "url", not with "command"', 'headers');
  if (kind === 'mcp') {
    if (body.baseUrl !== undefined) refuse('goes with an API that a document describes, not with an MCP server', 'baseUrl');
  } else if (kind !== undefined || body.document !== undefined) {
    for (const field of GO_WITH_MCP)
      if (body[field] !== undefined)
        refuse(`goes with an MCP server alone${field === 'headers' ? '; credentials are added with POST /connections' : ''}`, field);
  }
});

/** Body of `POST /integrations/:slug/refresh`. */
export const integrationChangeSchema = z.strictObject({ ...integrationChangeShape, document }).optional();
