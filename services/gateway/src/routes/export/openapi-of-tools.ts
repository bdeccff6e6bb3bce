import type { ToolInfo } from '@code-executor/tools';
import { embedSchema } from './embed-schema.ts';

/** The text of the document, in pieces. */
export async function* openApiOfTools(
  first: IteratorResult<readonly ToolInfo[]>,
  pages: AsyncIterator<readonly ToolInfo[]>,
  version: string,
): AsyncGenerator<string> {
  const head = {
    openapi: '3.1.0',
    info: {
      title: 'Tools of a code executor',
      description: 'One operation a tool. A call that a human has to decide first is answered 202 and goes on when it is approved.',
      version,
    },
    servers: [{ url: '/' }],
    security: [{ key: [] }],
    components: COMPONENTS,
  };
  yield `${JSON.stringify(head).slice(0, -1)},"paths":{`;
  let isFirst = true;
  for (let next = first; next.done !== true; next = await pages.next()) {
    for (const tool of next.value) {
      const path = `/tools/invoke/${encodeURIComponent(tool.server)}/${encodeURIComponent(tool.name)}`;
      yield `${isFirst ? '' : ','}${JSON.stringify(path)}:${JSON.stringify({ post: operationOf(tool, path) })}`;
      isFirst = false;
    }
  }
  yield '}}';
}

function operationOf(tool: ToolInfo, path: string): Record<string, unknown> {
  const { server, name, title, description, inputSchema, outputSchema, policy } = tool;
  // A pointer in a URI: what is percent-encoded in the path is so once more.
  const at = `#/paths/${path.replaceAll('~', '~0').replaceAll('/', '~1').replaceAll('%', '%25')}/post`;
  const json = '/content/application~1json/schema/properties';
  const required = typeof inputSchema === 'object' && Array.isArray(inputSchema.required) && inputSchema.required.length > 0;
  return {
    operationId: `${server}.${name}`,
    tags: [server],
    summary: title ?? name,
    description,
    'x-server': server,
    'x-tool': name,
    'x-policy': policy.action,
    requestBody: {
      required,
      content: {
        'application/json': {
          schema: {
            type: 'object',
            properties: { args: embedSchema(inputSchema, `${at}/requestBody${json}/args`) },
            ...(required ? { required: ['args'] } : {}),
            additionalProperties: false,
          },
        },
      },
    },
    responses: {
      200: {
        description: 'What the tool answered',
        content: {
          'application/json': {
            schema: {
              type: 'object',
              properties: {
                tool: { type: 'string' },
                result: outputSchema === null ? {} : embedSchema(outputSchema, `${at}/responses/200${json}/result`),
                durationMs: { type: 'number' },
              },
              required: ['tool', 'durationMs', ...(outputSchema === null ? [] : ['result'])],
            },
          },
        },
      },
      202: { $ref: '#/components/responses/Paused' },
      default: { $ref: '#/components/responses/Failed' },
    },
  };
}

const text = { type: 'string' };

const COMPONENTS = {
  securitySchemes: { key: { type: 'http', scheme: 'bearer', description: 'An API key' } },
  responses: {
    Paused: {
      description: 'A human has to decide first. The call goes on by itself when it is approved: GET /executions/{executionId}.',
      content: {
        'application/json': {
          schema: {
            type: 'object',
            properties: {
              status: { const: 'execution_paused' },
              executionId: text,
              approval: {
                type: 'object',
                properties: { id: text, tool: text, arguments: {}, expiresAt: text, url: text },
                required: ['id', 'tool', 'expiresAt', 'url'],
              },
            },
            required: ['status', 'executionId', 'approval'],
          },
        },
      },
    },
    Failed: {
      description: 'What went wrong; `code` is stable.',
      content: {
        'application/json': {
          schema: {
            type: 'object',
            properties: {
              error: {
                type: 'object',
                properties: { code: text, message: text, details: {}, requestId: text },
                required: ['code', 'message', 'requestId'],
              },
            },
            required: ['error'],
          },
        },
      },
    },
  },
};
