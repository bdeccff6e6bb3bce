// A stdio MCP server without dependencies, for the fleet's tests: says what it was told, and what it sees of mcp-proxy.
import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { createInterface } from 'node:readline';

const tools = [
  { name: 'echo', description: 'Says it again', inputSchema: { type: 'object', properties: { text: { type: 'string' } } } },
  { name: 'look', description: 'What this server sees of the place it runs in', inputSchema: { type: 'object', properties: {} } },
];
const answers = {
  initialize: ({ protocolVersion }) => ({ protocolVersion, capabilities: { tools: {} }, serverInfo: { name: 'tiny', version: '1' } }),
  'tools/list': () => ({ tools }),
  'tools/call': ({ name, arguments: args }) => ({ content: [{ type: 'text', text: JSON.stringify(name === 'echo' ? args : look()) }] }),
};

createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, method, params } = JSON.parse(line);
  if (id !== undefined) process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', id, result: answers[method]?.(params) ?? {} })}\n`);
});

function look() {
  // The token itself would be taken out of the answer.
  return {
    token: createHash('sha256')
      .update(process.env.TOKEN ?? '')
      .digest('hex'),
    names: Object.keys(process.env).sort(),
    secrets: readdirSync('/run/secrets'),
  };
}
