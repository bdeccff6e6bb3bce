// check-servers-file.ts FILE USER SUDO: run as the service's account. Exits 1 with a sentence where the file cannot be used;
// prints a warning, with the command that mends it, for each path in it that the account cannot read or (where the server
// will likely write) write.
import { accessSync, constants, existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, isAbsolute } from 'node:path';
import { isRecord } from './ask-service.ts';

const [file = '', user = '', sudo = ''] = process.argv.slice(2);
const quote = (path: string): string => (/^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`);
const servers = readServers();
if (typeof servers === 'string') {
  process.stdout.write(`! ${servers}\n`);
  process.exitCode = 1;
} else {
  for (const [name, entry] of Object.entries(servers)) {
    for (const path of pathsOf(entry)) {
      const warning = judge(path);
      if (warning !== null) process.stdout.write(`! MCP server '${name}': ${warning}\n`);
    }
  }
}

/** The servers by name, or the sentence that says why there are none. */
function readServers(): Record<string, unknown> | string {
  let text: string;
  try {
    text = readFileSync(file, 'utf8').replace(/^\uFEFF/, '');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : null;
    if (code === 'ENOENT') return {};
    return `'${user}' cannot read ${file}: ${sudo}chown ${user} ${quote(file)}`;
  }
  try {
    const parsed: unknown = JSON.parse(text);
    if (isRecord(parsed) && isRecord(parsed.mcpServers)) return parsed.mcpServers;
    return `${file} must hold {"mcpServers": {"name": {"command": …}}}: mend it and start again`;
  } catch {
    // The text is not shown: it may hold secrets.
    return `${file} is not JSON: mend it and start again`;
  }
}

/** Absolute paths among the arguments and environment values of a stdio entry. */
function pathsOf(entry: unknown): string[] {
  if (!isRecord(entry) || typeof entry.command !== 'string' || entry.disabled === true) return [];
  const words = [entry.command, ...(Array.isArray(entry.args) ? entry.args : []), ...(isRecord(entry.env) ? Object.values(entry.env) : [])];
  const paths = words.filter((word): word is string => typeof word === 'string').map((word) => word.replace(/^--?[\w-]+=/, ''));
  return [...new Set(paths.filter((path) => isAbsolute(path) && !path.includes('$') && !path.startsWith('//')))];
}

function judge(path: string): string | null {
  if (existsSync(path)) {
    const isDirectory = statSync(path).isDirectory();
    if (!may(path, isDirectory ? constants.R_OK | constants.X_OK : constants.R_OK))
      return `'${user}' cannot read ${path}. Mend: ${sudo}chown -R ${user}: ${quote(path)}`;
    // Directories of the system are nobody's to give away. Programs are only read; a directory or a data file given to a server is most likely its place to write.
    if (
      (isDirectory || /\.(db|sqlite3?|jsonl?)$/.test(path)) &&
      !path.includes('/node_modules/') &&
      dirname(path) !== '/' &&
      !may(path, constants.W_OK)
    ) {
      return `'${user}' cannot write ${path}. If that server shall write there: ${sudo}chown -R ${user}: ${quote(isDirectory ? path : dirname(path))}`;
    }
    return null;
  }
  const closed = closedAbove(path);
  if (closed !== null)
    return `'${user}' cannot enter ${closed}, so it does not see ${path}. Put that below /srv or /opt, or: ${sudo}chmod o+x ${quote(closed)}`;
  const folder = dirname(path);
  if (existsSync(folder) && !may(folder, constants.W_OK))
    return `'${user}' cannot make ${path}. Mend: ${sudo}chown -R ${user}: ${quote(folder)}`;
  return null;
}

/** The first directory above a path that this account cannot enter. */
function closedAbove(path: string): string | null {
  const parts = dirname(path).split('/').slice(1);
  let folder = '';
  for (const part of parts) {
    folder += `/${part}`;
    if (!existsSync(folder)) return null;
    if (statSync(folder).isDirectory() && !may(folder, constants.X_OK)) return folder;
  }
  return null;
}

function may(path: string, mode: number): boolean {
  try {
    accessSync(path, mode);
    return true;
  } catch {
    return false;
  }
}
