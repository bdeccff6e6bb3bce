import { cpSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Directory with the real MCP servers (its `mcp-servers.json`), or undefined where a machine has none. */
export const fixtures: string | undefined =
  process.env.EXECUTOR_TEST_FIXTURES && existsSync(join(process.env.EXECUTOR_TEST_FIXTURES, 'mcp-servers.json'))
    ? process.env.EXECUTOR_TEST_FIXTURES
    : undefined;

interface Entry {
  command: string;
  args?: string[];
  env?: Record<string, string>;
  trust?: boolean;
}

/**
 * Writes a servers file of the real servers into `directory`, all trusted, with a copy of their data there, so that a test
 * changes nothing that others read. Answers where the data lies.
 */
export function copyFixtureServers(source: string, directory: string): { serversFile: string; work: string } {
  const work = join(directory, 'work');
  cpSync(join(source, 'work'), work, { recursive: true });
  const file = JSON.parse(readFileSync(join(source, 'mcp-servers.json'), 'utf8')) as { mcpServers: Record<string, Entry> };
  const moved = (text: string) => text.replaceAll(join(source, 'work'), work);
  const mcpServers = Object.fromEntries(
    Object.entries(file.mcpServers).map(([name, entry]) => [
      name,
      {
        ...entry,
        args: entry.args?.map(moved),
        env: Object.fromEntries(Object.entries(entry.env ?? {}).map(([key, value]) => [key, moved(value)])),
        trust: true,
      },
    ]),
  );
  const serversFile = join(directory, 'mcp-servers.json');
  writeFileSync(serversFile, JSON.stringify({ mcpServers }, null, 2));
  return { serversFile, work };
}
