import { createClient } from '@code-executor/sdk';
import { type Handler, UsageError } from '../command/command.ts';
import type { Context } from '../command/context.ts';
import { oneOf } from '../command/option-values.ts';
import { LOCAL_URL } from '../server/choose-server.ts';
import { authorizeDevice, revokeToken } from '../server/device-flow.ts';
import { type Profile, readProfiles, writeProfiles } from '../server/profiles.ts';
import { readKeyOption } from './read-key.ts';
import { profileOf } from './servers.ts';
import { describeIdentity, identityOf, isRefused } from './whoami.ts';

/** The name under which the service of this machine gets a credential of its own. */
const LOCAL = 'this-machine';

export const login: Handler = async (context, { words: [asked], options }) => {
  const { env } = context.terminal;
  const profiles = readProfiles(env);
  const name = asked ?? profiles.current ?? LOCAL;
  const url = name === LOCAL ? (profiles.servers[LOCAL]?.url ?? LOCAL_URL) : profileOf(profiles, name).url;
  const withKey = options['with-key'] === true || options['key-file'] !== undefined;
  const role = oneOf(options.role, '--role', ['agent', 'operator', 'admin']);
  const credential = withKey
    ? { key: await readKeyOption(context, options['key-file'], `API key of ${url}`) }
    : await authorizeDevice(url, { role: role ?? 'agent', signal: context.signal, show: (text) => context.terminal.err(`${text}\n`) });
  const identity = await checked(context, url, credential.key);
  writeProfiles(env, { current: name, servers: { ...profiles.servers, [name]: { url, ...credential } } });
  context.answer({ ...identity, server: name, keySource: `the server '${name}'` }, (value) => `Logged in.\n${describeIdentity(value)}`);
  return 0;
};

/** A key that is not let in is not stored. */
async function checked(context: Context, url: string, key: string) {
  try {
    return await identityOf({ ...context, server: async () => ({ url, key, keySource: null, name: null }) }, createClient({ url, key }));
  } catch (error) {
    if (isRefused(error)) throw new UsageError(`${url} does not know this key; nothing was stored.`);
    throw error;
  }
}

export const logout: Handler = async (context, { words: [asked] }) => {
  const { env } = context.terminal;
  const profiles = readProfiles(env);
  const name = asked ?? profiles.current;
  if (name === null) throw new UsageError("No server is in use: say which ('executor server list').");
  const { key, refresh, ...profile } = profileOf(profiles, name);
  await takeBack({ ...profile, key, refresh }, context);
  writeProfiles(env, { ...profiles, servers: { ...profiles.servers, [name]: profile } });
  context.answer(
    { done: true, target: name },
    () =>
      `Forgot the credential of ${name}.${key !== undefined && refresh === undefined ? " The key itself still holds: 'executor keys revoke' takes it back." : ''}`,
  );
  return 0;
};

/** Forgotten here in any case; a service that cannot be reached lets the token run out. */
async function takeBack({ refresh }: Profile, context: Context): Promise<void> {
  if (refresh === undefined) return;
  try {
    await revokeToken(refresh, context.signal);
  } catch (error) {
    context.note(`The token could not be taken back (${error instanceof Error ? error.message : String(error)}); it runs out by itself.`);
  }
}
