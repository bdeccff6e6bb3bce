import { readFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import type { ToolDefinition } from '@code-executor/contracts';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { z } from 'zod';

const serversFile = z.object({
  mcpServers: z.record(
    z.string(),
    z.object({ command: z.string(), args: z.array(z.string()).default([]), env: z.record(z.string(), z.string()).default({}) }),
  ),
});

/** Directory of the prepared MCP servers; tests that need it skip where it is not given. */
export const fixturesDir = process.env.EXECUTOR_TEST_FIXTURES;

/** The tools that the prepared servers really list. */
export async function listFixtureTools(dir: string): Promise<ToolDefinition[]> {
  const { mcpServers } = serversFile.parse(JSON.parse(readFileSync(join(dir, 'mcp-servers.json'), 'utf8')));
  const lists = await Promise.all(Object.entries(mcpServers).map(([server, entry]) => listTools(server, entry)));
  return lists.flat();
}

async function listTools(
  server: string,
  { command, args, env }: { command: string; args: string[]; env: Record<string, string> },
): Promise<ToolDefinition[]> {
  const client = new Client({ name: 'wrappers-test', version: '1.0.0' });
  try {
    const inherited = { PATH: hostPath(), HOME: process.env.HOME ?? '/' };
    await client.connect(new StdioClientTransport({ command, args, env: { ...inherited, ...env }, stderr: 'ignore' }));
    const { tools } = await client.listTools();
    return tools.map((tool) => ({
      server,
      name: tool.name,
      title: tool.title,
      description: tool.description ?? '',
      inputSchema: tool.inputSchema,
      outputSchema: tool.outputSchema,
      annotations: tool.annotations,
    }));
  } finally {
    await client.close();
  }
}

/** `node` in a server's entry is the host's: native modules of the servers were built for that one, not for the one that runs us. */
function hostPath(): string {
  const own = dirname(process.execPath);
  return (process.env.PATH ?? '/usr/bin:/bin')
    .split(delimiter)
    .filter((directory) => directory !== own)
    .join(delimiter);
}
