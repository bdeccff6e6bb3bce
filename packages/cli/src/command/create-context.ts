import { readFileSync } from 'node:fs';
import { chooseServer, type ServerChoice } from '../server/choose-server.ts';
import { mask } from '../terminal/mask.ts';
import type { Terminal } from '../terminal/terminal.ts';
import type { Invocation } from './command.ts';
import type { Context } from './context.ts';

export function createContext(terminal: Terminal, { options }: Invocation, signal: AbortSignal): Context {
  const json = options.json === true;
  const version = versionOfPackage();
  let choice: Promise<ServerChoice> | undefined;
  const server = (): Promise<ServerChoice> => {
    choice ??= chooseServer({ url: options.url, name: options.server, keyFile: options['key-file'] }, terminal);
    return choice;
  };
  let secret: string | null = null;
  return {
    terminal,
    json,
    signal,
    version,
    server,
    async client() {
      const [{ createClient }, { url, key }] = await Promise.all([import('@code-executor/sdk'), server()]);
      secret = key;
      return createClient({ url, ...(key === null ? {} : { key }), userAgent: `executor-cli/${version}` });
    },
    answer: (value, human) => {
      const text = json ? JSON.stringify(value, null, 2) : human(value);
      if (text !== undefined && text !== '') terminal.out(`${mask(text, secret)}\n`);
    },
    note: (text) => {
      if (!json) terminal.err(`${mask(text, secret)}\n`);
    },
  };
}

/** Put in by the build; in a checkout it is read. */
declare const CLI_VERSION: string | undefined;

function versionOfPackage(): string {
  if (typeof CLI_VERSION === 'string') return CLI_VERSION;
  const file = new URL('../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}
