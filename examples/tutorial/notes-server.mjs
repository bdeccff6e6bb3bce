// A small MCP server over standard input and output; it keeps notes for as long as it runs.
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import { z } from 'zod';

const notes = ['Issue #2 was promised to a customer'];
const server = new McpServer({ name: 'notes', version: '1' });

server.registerTool('add_note', { description: 'Writes a note down', inputSchema: { text: z.string() } }, ({ text }) => {
  notes.push(text);
  return { content: [{ type: 'text', text: `There are ${notes.length} notes now` }] };
});
server.registerTool(
  'list_notes',
  {
    description: 'Reads all notes',
    inputSchema: {},
    outputSchema: { notes: z.array(z.string()) },
    annotations: { readOnlyHint: true },
  },
  () => ({ content: [{ type: 'text', text: notes.join('\n') }], structuredContent: { notes } }),
);
await server.connect(new StdioServerTransport());
