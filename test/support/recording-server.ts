/**
 * An MCP server over stdio that writes down what it was asked, so that a test knows what really happened:
 * `node recording-server.ts FILE`. With BOOT_FAULT in its environment it fails to start in that way.
 */
import { appendFileSync, readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import { z } from 'zod';

const file = process.argv[2] ?? '/dev/null';
const record = (line: string): void => appendFileSync(file, `${line}\n`);
const text = (value: string) => ({ content: [{ type: 'text' as const, text: value }] });

if (process.env.BOOT_FAULT === 'crash') {
  process.stderr.write(`cannot log in with ${process.env.SERVICE_TOKEN}\n`);
  process.exit(3);
}
if (process.env.BOOT_FAULT === 'rubbish') {
  setInterval(() => process.stdout.write('Listening on port 3000 …\n\u0000{"half":\n'), 20);
} else {
  await serve();
}

async function serve(): Promise<void> {
  const server = new McpServer({ name: 'recording', version: '1' });
  server.registerTool('note', { description: 'Writes a note down', inputSchema: { text: z.string() } }, (args) => {
    record(`note ${args.text}`);
    return text(`noted ${args.text}`);
  });
  server.registerTool(
    'slow_note',
    { description: 'Writes a note down, takes its time and says so', inputSchema: { text: z.string(), ms: z.number() } },
    async (args) => {
      record(`begin ${args.text}`);
      await sleep(args.ms);
      record(`end ${args.text}`);
      return text('done');
    },
  );
  server.registerTool(
    'count_notes',
    { description: 'Counts the notes written so far', inputSchema: { like: z.string().optional() }, annotations: { readOnlyHint: true } },
    (args) => {
      const notes = readFileSync(file, 'utf8').split('\n');
      return { content: [], structuredContent: { count: notes.filter((line) => line !== '' && line.includes(args.like ?? '')).length } };
    },
  );
  server.registerTool(
    'look',
    { description: 'Reads a file, or lists a folder whose path ends in a slash', inputSchema: { path: z.string() } },
    ({ path }) => text(path.endsWith('/') ? readdirSync(path).join('\n') : readFileSync(path, 'utf8')),
  );
  server.registerTool('learn', { description: 'Offers one more tool from now on', inputSchema: { name: z.string() } }, ({ name }) => {
    server.registerTool(name, { description: `Learnt ${name}`, annotations: { readOnlyHint: true } }, () => text(`did ${name}`));
    return text(`learnt ${name}`);
  });
  await server.connect(new StdioServerTransport());
}
