import type { Tool } from '@modelcontextprotocol/server';

/** Both tools that answer with an execution. Loose where more words would cost every session tokens and help nobody. */
const EXECUTION_SCHEMA = {
  type: 'object',
  properties: {
    executionId: { type: 'string' },
    status: { type: 'string' },
    result: {},
    output: { type: 'string' },
    error: { type: ['object', 'null'] },
    effects: { type: 'string' },
    approval: { type: ['object', 'null'] },
  },
  required: ['executionId', 'status'],
} as const;

/** What agents see by default: four tools, whatever the catalog holds. */
export const CODE_TOOLS: readonly Tool[] = [
  {
    name: 'execute',
    description: 'Run a program in a fresh sandbox. `return` a value (TypeScript) or end with an expression (Python).',
    inputSchema: {
      type: 'object',
      properties: {
        code: { type: 'string' },
        language: { enum: ['typescript', 'python', 'node'] },
        timeoutMs: { type: 'integer', minimum: 1, maximum: 300_000 },
        args: { type: 'object', description: 'seen as `args`' },
        files: { type: 'object', description: 'path: text, put into /workspace' },
        sessionId: { type: 'string' },
        typecheck: { type: 'boolean' },
      },
      required: ['code', 'language'],
    },
    outputSchema: EXECUTION_SCHEMA,
    annotations: { destructiveHint: true, openWorldHint: true },
  },
  {
    name: 'search_tools',
    description: 'Find tools by words. Empty query: all.',
    inputSchema: {
      type: 'object',
      properties: {
        query: { type: 'string' },
        server: { type: 'string' },
        detail: { enum: ['name', 'description', 'full'] },
        limit: { type: 'integer' },
        offset: { type: 'integer' },
      },
    },
    annotations: { readOnlyHint: true, openWorldHint: false },
  },
  {
    name: 'describe_tool',
    description: 'Signature, import and policy of tools.',
    inputSchema: {
      type: 'object',
      properties: {
        tools: { type: 'array', items: { type: 'string' }, description: 'server.tool' },
        schema: { type: 'boolean', description: 'add JSON schemas' },
      },
      required: ['tools'],
    },
    annotations: { readOnlyHint: true, openWorldHint: false },
  },
  {
    name: 'resume',
    description: 'Wait for a paused or running execution and get its result.',
    inputSchema: {
      type: 'object',
      properties: { executionId: { type: 'string' }, approvalId: { type: 'string' }, waitMs: { type: 'integer' } },
      required: ['executionId'],
    },
    outputSchema: EXECUTION_SCHEMA,
    annotations: { readOnlyHint: false, destructiveHint: false, openWorldHint: true },
  },
];
