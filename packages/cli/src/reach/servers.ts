import { type Handler, UsageError } from '../command/command.ts';
import { nearest } from '../command/nearest.ts';
import { checkedUrl, isLoopback } from '../server/choose-server.ts';
import { type Profiles, readProfiles, writeProfiles } from '../server/profiles.ts';
import { table } from '../terminal/columns.ts';
import { readKeyOption } from './read-key.ts';

const NAME = /^[a-z0-9][a-z0-9_-]{0,31}$/i;

export const addServer: Handler = async (context, { words: [name = '', address = ''], options }) => {
  const { env } = context.terminal;
  if (!NAME.test(name) || name === 'local')
    throw new UsageError(`${JSON.stringify(name)} is no name for a server: letters, digits, - and _, and not "local".`);
  const url = checkedUrl(address);
  const key = options['no-key'] === true ? undefined : await readKeyOption(context, options['key-file'], `API key of ${url}`);
  const profiles = readProfiles(env);
  const isUsed = options.use === true || profiles.current === name;
  writeProfiles(env, {
    current: isUsed ? name : profiles.current,
    servers: { ...profiles.servers, [name]: { url, ...(key === undefined ? {} : { key }) } },
  });
  if (url.startsWith('http:') && !isLoopback(url)) context.note(`warning: ${url} is not encrypted: whoever sits between reads the key.`);
  context.answer(
    { name, url, current: isUsed, hasKey: key !== undefined },
    () => `${name} is ${url}${isUsed ? ', and used where none is named' : ''}.`,
  );
  return 0;
};

export const listServers: Handler = async (context) => {
  const { current, servers } = readProfiles(context.terminal.env);
  const items = Object.entries(servers).map(([name, { url, key }]) => ({
    name,
    url,
    current: name === current,
    hasKey: key !== undefined,
  }));
  context.answer({ items, total: items.length }, (value) =>
    table(
      ['', 'name', 'url', 'key'],
      value.items.map(({ name, url, current: isCurrent, hasKey }) => [isCurrent ? '*' : '', name, url, hasKey ? 'stored' : 'none']),
      "There are none: the service of this machine is used ('executor server add' names another).",
    ),
  );
  return 0;
};

export const useServer: Handler = async (context, { words: [name = ''] }) => {
  const { env } = context.terminal;
  const profiles = readProfiles(env);
  const profile = name === 'local' ? null : profileOf(profiles, name);
  writeProfiles(env, { ...profiles, current: profile === null ? null : name });
  const answer = { name, url: profile?.url ?? null, current: true, hasKey: profile?.key !== undefined };
  context.answer(answer, () => (profile === null ? 'The service of this machine is used.' : `${name} (${profile.url}) is used.`));
  return 0;
};

export const removeServer: Handler = async (context, { words: [name = ''] }) => {
  const { env } = context.terminal;
  const profiles = readProfiles(env);
  profileOf(profiles, name);
  const { [name]: _, ...servers } = profiles.servers;
  writeProfiles(env, { current: profiles.current === name ? null : profiles.current, servers });
  context.answer({ done: true, target: name }, () => `Forgot ${name} and its key.`);
  return 0;
};

export function profileOf({ servers }: Profiles, name: string) {
  const profile = Object.hasOwn(servers, name) ? servers[name] : undefined;
  if (profile !== undefined) return profile;
  const near = nearest(name, Object.keys(servers));
  throw new UsageError(
    `There is no server '${name}'.${near === null ? " 'executor server list' shows those there are." : ` Did you mean '${near}'?`}`,
  );
}
