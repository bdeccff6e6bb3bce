import { readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Connection, Integration, NewIntegration } from '@code-executor/sdk';
import { type Handler, type Options, UsageError } from '../command/command.ts';
import type { Context } from '../command/context.ts';
import { oneOf, textOption } from '../command/option-values.ts';
import { isLoopback } from '../server/choose-server.ts';
import { createConnection, describeConnection } from './connections.ts';
import { describeIntegration } from './integrations.ts';
import { readCredential } from './read-credential.ts';

export const addIntegration: Handler = async (context, { words: [target = '', ...more], rest: behind, options }) => {
  const client = await context.client();
  const { signal } = context;
  const integration = await integrationOf(context, target, [...more, ...behind], options);
  const added = await client.integrations.add(integration, { signal });
  const connection = await connect(context, added, options);
  context.answer(
    { integration: connection === null ? added : await client.integrations.get(added.slug, { signal }), connection },
    (value) =>
      [
        describeIntegration(value.integration),
        value.connection === null ? '' : describeConnection(value.connection),
        `'executor call ${added.slug} --help' lists its tools.`,
      ]
        .filter((part) => part !== '')
        .join('\n'),
  );
  return 0;
};

async function integrationOf(context: Context, target: string, rest: readonly string[], options: Options): Promise<NewIntegration> {
  const common = commonOf(options);
  const named = textOption(options.name);
  if (/^https?:\/\//i.test(target)) {
    if (rest.length > 0) throw new UsageError(`${JSON.stringify(rest[0])} is too much behind an address.`);
    const kind = common.kind ?? (await (await context.client()).integrations.detect(target, { signal: context.signal })).kind;
    return { ...common, slug: named ?? slugOf(new URL(target).hostname), kind, url: target };
  }
  if (isFile(target) && rest.length === 0) {
    return { ...common, slug: named ?? slugOf(target.split('/').pop() ?? target), document: readFileSync(target, 'utf8') };
  }
  const env = environmentOf((options.env as readonly string[] | undefined) ?? [], context);
  return {
    ...common,
    slug:
      named ??
      slugOf(
        rest
          .find((word) => /[a-z]/i.test(word) && !word.startsWith('-'))
          ?.split('/')
          .pop() ??
          target.split('/').pop() ??
          target,
      ),
    kind: 'mcp',
    ...(await commandOf(context, target, rest)),
    ...(env === undefined ? {} : { env }),
  };
}

/** The service runs it in another folder: what lies here, and is meant for a service of this machine, is named in full. */
async function commandOf(context: Context, command: string, args: readonly string[]): Promise<Pick<NewIntegration, 'command' | 'args'>> {
  const isHere = isLoopback((await context.server()).url);
  const named = (word: string): string =>
    isHere && !word.startsWith('-') && /[./]/.test(word) && statSync(word, { throwIfNoEntry: false })?.isFile() === true
      ? resolve(word)
      : word;
  return { command: named(command), ...(args.length === 0 ? {} : { args: args.map(named) }) };
}

function commonOf(options: Options): Omit<NewIntegration, 'slug'> {
  const trust = oneOf(options.trust, '--trust', ['true', 'false', 'annotations']);
  const baseUrl = textOption(options['base-url']);
  const kind = textOption(options.kind);
  return {
    ...(kind === undefined ? {} : { kind }),
    ...(baseUrl === undefined ? {} : { baseUrl }),
    ...(trust === undefined ? {} : { trust: trust === 'annotations' ? trust : trust === 'true' }),
  };
}

/** Asked for on a terminal where the API says that it wants one; done without a question where it was said. */
async function connect(context: Context, added: Integration, options: Options): Promise<Connection | null> {
  const schemes = added.document?.securitySchemes ?? [];
  const isSaid = options.auth !== undefined;
  if (!isSaid && (schemes.length === 0 || !context.terminal.isInteractive || context.json)) {
    if (schemes.length > 0)
      context.note(`It wants a credential (${schemes.map(({ type }) => type).join(', ')}): 'executor connections add ${added.slug}'.`);
    return null;
  }
  if (!isSaid) context.note(`${added.slug} wants a credential: ${schemes.map(({ name, type }) => `${name} (${type})`).join(', ')}`);
  const auth = await readCredential(context, options);
  return auth === null ? null : await createConnection(context, { integration: added.slug, name: 'default', owner: 'workspace', auth });
}

/** By name, so that no value stands in the shell's history. */
function environmentOf(names: readonly string[], { terminal }: Context): Record<string, string> | undefined {
  if (names.length === 0) return undefined;
  return Object.fromEntries(
    names.map((name) => {
      const value = terminal.env[name];
      if (value === undefined)
        throw new UsageError(
          `--env ${name}: there is no such variable here. (Give the name alone; its value is taken from your environment.)`,
        );
      return [name, value];
    }),
  );
}

function isFile(path: string): boolean {
  return /\.(json|ya?ml|graphqls?|gql)$/i.test(path) && statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}

/** `api.github.com` → `github`, `server-filesystem` → `filesystem`. */
export function slugOf(text: string): string {
  const host =
    text.includes('.') && !/\.(json|ya?ml|graphqls?|gql)$/i.test(text)
      ? (text.replace(/^(api|www|mcp)\./, '').split('.')[0] ?? text)
      : text;
  const slug = host
    .replace(/\.(json|ya?ml|graphqls?|gql)$/i, '')
    .toLowerCase()
    .replaceAll(/(^|[-_])(mcp|server)(?=$|[-_])/g, '')
    .replaceAll(/[^a-z0-9_-]+/g, '-')
    .replaceAll(/^[-_]+|[-_]+$/g, '')
    .slice(0, 64);
  if (slug === '' || !/^[a-z0-9]/.test(slug)) throw new UsageError('Say --name: no name can be made of that.');
  return slug;
}
