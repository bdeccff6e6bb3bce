import { chmodSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Terminal } from '../terminal/terminal.ts';

export interface Profile {
  readonly url: string;
  readonly key?: string | undefined;
  /** Renews an access token that expired; with API keys there is none. */
  readonly refresh?:
    | {
        readonly token: string;
        readonly clientId: string;
        readonly tokenUrl: string;
        /** Of the access token, milliseconds since the epoch; null: it was not said. */
        readonly expiresAt: number | null;
      }
    | undefined;
}

export interface Profiles {
  readonly current: string | null;
  readonly servers: Readonly<Record<string, Profile>>;
}

const NONE: Profiles = { current: null, servers: {} };

const profilesFile = (env: Terminal['env']): string => join(configDir(env), 'servers.json');

const configDir = (env: Terminal['env']): string =>
  join(
    env.XDG_CONFIG_HOME === undefined || env.XDG_CONFIG_HOME === '' ? join(env.HOME ?? homedir(), '.config') : env.XDG_CONFIG_HOME,
    'code-executor',
  );

export function readProfiles(env: Terminal['env']): Profiles {
  let text: string;
  const file = profilesFile(env);
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return NONE;
    throw error;
  }
  try {
    const parsed = JSON.parse(text) as Partial<Profiles>;
    return { current: parsed.current ?? null, servers: parsed.servers ?? {} };
  } catch (cause) {
    throw new Error(`${file} is no JSON: mend it, or remove it and add the servers again.`, { cause });
  }
}

/** Readable by its owner alone, and whole at every moment. */
export function writeProfiles(env: Terminal['env'], profiles: Profiles): void {
  const file = profilesFile(env);
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const draft = `${file}.${process.pid}`;
  writeFileSync(draft, `${JSON.stringify(profiles, null, 2)}\n`, { mode: 0o600 });
  chmodSync(draft, 0o600);
  renameSync(draft, file);
}
