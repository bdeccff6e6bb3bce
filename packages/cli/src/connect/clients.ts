import { existsSync } from 'node:fs';
import { homedir, platform } from 'node:os';
import { join } from 'node:path';

/** A client of MCP, and where and how its configuration names servers. */
export interface McpClient {
  readonly id: string;
  readonly title: string;
  readonly format: 'json' | 'toml';
  /** Keys from the document's top to the object that holds the servers. */
  readonly path: readonly string[];
  /** One server as the client writes it. */
  entry(command: string, args: readonly string[]): Record<string, unknown>;
  file(place: Place): string;
  /** In a project's directory; absent: it has none. */
  readonly projectFile?: string;
  /** Where the project's file names servers otherwise. */
  readonly projectPath?: readonly string[];
}

export interface Place {
  readonly home: string;
  readonly config: string;
  readonly platform: NodeJS.Platform;
}

const plain = (command: string, args: readonly string[]): Record<string, unknown> => ({ command, args: [...args] });
const typed = (command: string, args: readonly string[]): Record<string, unknown> => ({ type: 'stdio', command, args: [...args] });

/** Where desktop programs keep what is theirs. */
function desktop({ home, config, platform: system }: Place, ...rest: readonly string[]): string {
  if (system === 'darwin') return join(home, 'Library/Application Support', ...rest);
  if (system === 'win32') return join(home, 'AppData/Roaming', ...rest);
  return join(config, ...rest);
}

export const MCP_CLIENTS: readonly McpClient[] = [
  {
    id: 'claude-code',
    title: 'Claude Code',
    format: 'json',
    path: ['mcpServers'],
    entry: typed,
    file: ({ home }) => join(home, '.claude.json'),
    projectFile: '.mcp.json',
  },
  {
    id: 'claude-desktop',
    title: 'Claude Desktop',
    format: 'json',
    path: ['mcpServers'],
    entry: plain,
    file: (place) => desktop(place, 'Claude', 'claude_desktop_config.json'),
  },
  {
    id: 'cursor',
    title: 'Cursor',
    format: 'json',
    path: ['mcpServers'],
    entry: plain,
    file: ({ home }) => join(home, '.cursor/mcp.json'),
    projectFile: '.cursor/mcp.json',
  },
  {
    id: 'vscode',
    title: 'VS Code',
    format: 'json',
    path: ['servers'],
    entry: typed,
    file: (place) => desktop(place, 'Code', 'User', 'mcp.json'),
    projectFile: '.vscode/mcp.json',
  },
  {
    id: 'windsurf',
    title: 'Windsurf',
    format: 'json',
    path: ['mcpServers'],
    entry: plain,
    file: ({ home }) => join(home, '.codeium/windsurf/mcp_config.json'),
  },
  {
    id: 'zed',
    title: 'Zed',
    format: 'json',
    path: ['context_servers'],
    entry: (command, args) => ({ source: 'custom', ...plain(command, args) }),
    file: ({ config }) => join(config, 'zed/settings.json'),
    projectFile: '.zed/settings.json',
  },
  {
    id: 'codex',
    title: 'Codex',
    format: 'toml',
    path: ['mcp_servers'],
    entry: plain,
    file: ({ home }) => join(home, '.codex/config.toml'),
  },
  {
    id: 'gemini',
    title: 'Gemini CLI',
    format: 'json',
    path: ['mcpServers'],
    entry: plain,
    file: ({ home }) => join(home, '.gemini/settings.json'),
    projectFile: '.gemini/settings.json',
  },
  {
    id: 'cline',
    title: 'Cline',
    format: 'json',
    path: ['mcpServers'],
    entry: plain,
    file: (place) => desktop(place, 'Code', 'User', 'globalStorage/saoudrizwan.claude-dev/settings/cline_mcp_settings.json'),
  },
  {
    id: 'opencode',
    title: 'opencode',
    format: 'json',
    path: ['mcp'],
    entry: (command, args) => ({ type: 'local', command: [command, ...args], enabled: true }),
    file: ({ config }) => join(config, 'opencode/opencode.json'),
    projectFile: 'opencode.json',
  },
];

export function placeOf(env: Readonly<Record<string, string | undefined>>): Place {
  const home = env.HOME ?? homedir();
  const config = env.XDG_CONFIG_HOME;
  return { home, config: config === undefined || config === '' ? join(home, '.config') : config, platform: platform() };
}

/** Whether the client seems to be here: its configuration, or the folder it would lie in. */
export function isPresent(client: McpClient, place: Place): boolean {
  const file = client.file(place);
  return existsSync(file) || (file !== join(place.home, '.claude.json') && existsSync(join(file, '..')));
}
