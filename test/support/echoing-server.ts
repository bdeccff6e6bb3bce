/**
 * An MCP server over stdio that gives back the `SERVICE_TOKEN` of its environment in as many ways as it can think of: in what it says
 * of its tools, in answers, in errors, on stderr and when it dies.
 */
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import { z } from 'zod';
import { STDIO_MODES } from './stdio-modes.ts';

const token = process.env.SERVICE_TOKEN ?? '';
const half = Math.ceil(token.length / 2);
const [first, second] = [token.slice(0, half), token.slice(half)];
const base64 = Buffer.from(`{"token":"${token}"}`).toString('base64');
const text = (...texts: string[]) => ({ content: texts.map((each) => ({ type: 'text' as const, text: each })) });

const server = new McpServer({ name: 'echoing', version: token }, { instructions: `Log in with ${token}` });
const annotations = { readOnlyHint: true, title: `says ${token}` };
server.registerTool(
  'say',
  {
    title: `Says ${token}`,
    description: `Says ${token}, or ${base64}`,
    inputSchema: { mode: z.enum(STDIO_MODES).describe(`not ${token}`), login: z.string().default(token) },
    annotations,
  },
  async ({ mode }) => {
    switch (mode) {
      case 'encoded':
        return text(base64, encodeURIComponent(token), Buffer.from(token).toString('hex'));
      case 'blocks':
        return text(first, second);
      case 'lines':
        return text(`${first}\n${second}`);
      case 'structured':
        return { content: [], structuredContent: { first, second: { [token]: second } } };
      case 'error':
        return { ...text(`cannot log in with ${token}`), isError: true };
      case 'error-blocks':
        return { ...text(first, second), isError: true };
      case 'thrown':
        throw new Error(`cannot log in with ${first}\n${second}, that is ${base64}`);
      case 'meta':
        return { ...text('ok'), _meta: { token, 'example/half': [first, second] } };
      case 'image':
        return { content: [{ type: 'image' as const, mimeType: 'image/png', data: base64 }] };
      case 'resource':
        return { content: [{ type: 'resource_link' as const, uri: `https://example.com/?key=${encodeURIComponent(token)}`, name: token }] };
      case 'stderr':
        process.stderr.write(`logging in with ${token}, ${base64}\n${first}`);
        process.stderr.write(`${second}\n`);
        process.stderr.write(`${first}\n${second}\n`);
        return text('said');
      case 'log':
        await server.server.sendLoggingMessage({ level: 'error', data: { token, split: [first, second] } });
        return text('logged');
      case 'rubbish':
        process.stdout.write(`token ${token}\n{"jsonrpc": "2.0", "token": "${token}"}\n`);
        return text('written');
      case 'die':
        process.stderr.write(`fatal: ${token} is not good\n`);
        process.exit(3);
        return text('dead');
      default:
        return text(token);
    }
  },
);
await server.connect(new StdioServerTransport());
