import { Server } from '@modelcontextprotocol/sdk/server/index.js';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import { CallToolRequestSchema, ListToolsRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { manyTools } from './many-tools.ts';

// An MCP server on stdio with as many tools as its first argument says; every call answers its own arguments.
const PAGE = 500;
const tools = manyTools('many', Number(process.argv[2] ?? 100)).map(({ server: _, ...tool }) => tool);
const server = new Server({ name: 'many', version: '1.0.0' }, { capabilities: { tools: {} } });
server.setRequestHandler(ListToolsRequestSchema, async ({ params }) => {
  const from = Number(params?.cursor ?? 0);
  const page = tools.slice(from, from + PAGE) as never[];
  return { tools: page, ...(from + PAGE < tools.length ? { nextCursor: String(from + PAGE) } : {}) };
});
server.setRequestHandler(CallToolRequestSchema, async ({ params }) => ({
  content: [{ type: 'text', text: JSON.stringify(params.arguments) }],
}));
await server.connect(new StdioServerTransport());
