import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { UsageError } from '../command/command.ts';
import type { Terminal } from '../terminal/terminal.ts';
import { type Profile, readProfiles, writeProfiles } from './profiles.ts';

export const LOCAL_URL = 'http://127.0.0.1:9091';
const RENEW_BEFORE_MS = 30_000;
const RENEW_TIMEOUT_MS = 30_000;

export interface ServerChoice {
  readonly url: string;
  readonly key: string | null;
  /** Where the key came from, for the message that it does not fit. */
  readonly keySource: string | null;
  /** Of the profile, where it is one. */
  readonly name: string | null;
}

interface Asked {
  readonly url: unknown;
  readonly name: unknown;
  readonly keyFile: unknown;
}

/** What is said on the command line wins over the environment, that over the profile in use, that over the service of this machine. */
export async function chooseServer(asked: Asked, terminal: Terminal): Promise<ServerChoice> {
  const { env } = terminal;
  if (typeof asked.url === 'string' && typeof asked.name === 'string') throw new UsageError('--url and --server exclude each other.');
  const place = placeOf(asked, env);
  const key = keyFor(await renewed(place, env), asked.keyFile, terminal);
  return { url: place.url, name: place.name, ...key };
}

interface Place {
  readonly url: string;
  readonly name: string | null;
  readonly profileKey: string | null;
  readonly refresh?: Profile['refresh'];
  /** The profile was named on the command line: its key goes before the environment's. */
  readonly named: boolean;
}

function placeOf(asked: Asked, env: Terminal['env']): Place {
  if (typeof asked.url === 'string') return { url: checkedUrl(asked.url), name: null, profileKey: null, named: false };
  const profiles = readProfiles(env);
  const named = typeof asked.name === 'string' ? asked.name : null;
  if (named === null && env.EXECUTOR_URL !== undefined && env.EXECUTOR_URL !== '') {
    return { url: checkedUrl(env.EXECUTOR_URL), name: null, profileKey: null, named: false };
  }
  const name = named ?? profiles.current;
  if (name === null || (named === null && profiles.servers[name] === undefined)) {
    const port = env.EXECUTOR_PORT;
    return { url: port === undefined || port === '' ? LOCAL_URL : `http://127.0.0.1:${port}`, name: null, profileKey: null, named: false };
  }
  const profile = profiles.servers[name];
  if (profile === undefined) {
    const names = Object.keys(profiles.servers);
    throw new UsageError(
      `There is no server '${name}'${names.length === 0 ? ": 'executor server add' makes one" : `; there are ${names.join(', ')}`}.`,
    );
  }
  return { url: profile.url, name, profileKey: profile.key ?? null, refresh: profile.refresh, named: named !== null };
}

/** An access token that is about to run out is renewed, and the new one stored. */
async function renewed(place: Place, env: Terminal['env']): Promise<Place> {
  const { name, refresh } = place;
  if (name === null || refresh?.expiresAt == null || refresh.expiresAt > Date.now() + RENEW_BEFORE_MS) return place;
  const { renewToken } = await import('./device-flow.ts');
  const credential = await renewToken(refresh, AbortSignal.timeout(RENEW_TIMEOUT_MS));
  const profiles = readProfiles(env);
  writeProfiles(env, { ...profiles, servers: { ...profiles.servers, [name]: { url: place.url, ...credential } } });
  return { ...place, profileKey: credential.key };
}

function keyFor(
  { url, name, profileKey, named }: Place,
  keyFile: unknown,
  { env, readStdin }: Terminal,
): Pick<ServerChoice, 'key' | 'keySource'> {
  const from = (key: string, keySource: string): Pick<ServerChoice, 'key' | 'keySource'> => ({ key: key.trim(), keySource });
  if (keyFile === '-') return from(readStdin(), 'the standard input');
  if (typeof keyFile === 'string') return from(readKey(keyFile), keyFile);
  if (named && profileKey !== null) return from(profileKey, `the server '${name}'`);
  if (env.EXECUTOR_KEY !== undefined && env.EXECUTOR_KEY !== '') return from(env.EXECUTOR_KEY, 'EXECUTOR_KEY');
  if (env.EXECUTOR_KEY_FILE !== undefined && env.EXECUTOR_KEY_FILE !== '')
    return from(readKey(env.EXECUTOR_KEY_FILE), env.EXECUTOR_KEY_FILE);
  if (profileKey !== null) return from(profileKey, `the server '${name}'`);
  // The key of this machine's service is for this machine alone.
  if (!isLoopback(url)) return { key: null, keySource: null };
  const file = join(env.EXECUTOR_DATA_DIR ?? join(homedir(), '.code-executor'), 'admin.key');
  try {
    return from(readFileSync(file, 'utf8'), file);
  } catch {
    return { key: null, keySource: null };
  }
}

function readKey(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new UsageError(`The key file ${file} cannot be read: ${error instanceof Error ? error.message : String(error)}.`);
  }
}

export const isLoopback = (url: string): boolean => /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(new URL(url).hostname);

export function checkedUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !/^https?:$/.test(url.protocol))
    throw new UsageError(`${JSON.stringify(text)} is no address; such as https://executor.example.`);
  if (url.username !== '' || url.password !== '')
    throw new UsageError('An address must not carry credentials: give the key by --key-file or EXECUTOR_KEY.');
  return `${url.origin}${url.pathname.replace(/\/+$/, '')}`;
}
