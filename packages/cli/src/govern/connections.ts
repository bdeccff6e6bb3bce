import { setTimeout as sleep } from 'node:timers/promises';
import type { Connection, NewConnection } from '@code-executor/sdk';
import { type Handler, UsageError } from '../command/command.ts';
import type { Context } from '../command/context.ts';
import { textOption } from '../command/option-values.ts';
import { EXIT } from '../exit-codes.ts';
import { table } from '../terminal/columns.ts';
import { oneLine } from '../terminal/safe-text.ts';
import { readCredential } from './read-credential.ts';

const POLL_MS = 1_000;

export const listConnections: Handler = async (context, { options }) => {
  const integration = textOption(options.source);
  const client = await context.client();
  const page = await client.connections.list(
    { limit: 500, ...(integration === undefined ? {} : { integration }) },
    { signal: context.signal },
  );
  context.answer(page, ({ items }) =>
    table(
      ['id', 'address', 'type', 'whose', 'status', ''],
      items.map((item) => [
        item.id,
        `${item.address}${item.default ? ' (default)' : ''}`,
        item.auth.type,
        item.principalId ?? 'workspace',
        item.status,
        oneLine(item.reason ?? '', 80),
      ]),
      "There are no connections: 'executor connections add' adds one.",
    ),
  );
  return EXIT.done;
};

export const addConnection: Handler = async (context, { words: [integration = '', name = 'default'], options }) => {
  const auth = await readCredential(context, options);
  if (auth === null)
    throw new UsageError('A connection needs a credential; an integration works without a connection where it needs none.');
  const connection = await createConnection(context, {
    integration,
    name,
    owner: options.mine === true ? 'principal' : 'workspace',
    auth,
    ...(options.default === true ? { default: true } : {}),
  });
  context.answer(connection, describeConnection);
  return EXIT.done;
};

/** Also goes through the consent page, where there is one. */
export async function createConnection(context: Context, fresh: NewConnection): Promise<Connection> {
  const connection = await (await context.client()).connections.add(fresh, { signal: context.signal });
  return connection.status === 'needs_authorization' ? await authorize(context, connection.id, true) : connection;
}

export const authorizeConnection: Handler = async (context, { words: [id = ''], options }) => {
  context.answer(await authorize(context, id, options['no-wait'] !== true), describeConnection);
  return EXIT.done;
};

async function authorize(context: Context, id: string, wait: boolean): Promise<Connection> {
  const client = await context.client();
  const { signal } = context;
  const before = await client.connections.get(id, { signal });
  const { url, expiresAt } = await client.connections.authorize(id, { signal });
  // Also with --json: without it nobody could go there.
  context.terminal.err(`Open this address and agree, before ${expiresAt}:\n  ${url}\n`);
  if (!wait) return before;
  for (;;) {
    const connection = await client.connections.get(id, { signal });
    if (connection.status === 'active' && (before.status !== 'active' || connection.updatedAt !== before.updatedAt)) return connection;
    if (Date.parse(expiresAt) < Date.now()) throw new Error(`Nobody agreed in time: 'executor connections authorize ${id}' begins again.`);
    await sleep(POLL_MS, undefined, { signal });
  }
}

export const testConnection: Handler = async (context, { words: [id = ''] }) => {
  const check = await (await context.client()).connections.validate(id, { signal: context.signal });
  context.answer(
    check,
    ({ outcome, status, message }) =>
      `${outcome}${status === null ? '' : ` (HTTP ${status})`}${message === null ? '' : `: ${oneLine(message, 300)}`}`,
  );
  return check.outcome === 'ok' ? EXIT.done : EXIT.failed;
};

export const removeConnection: Handler = async (context, { words: [id = ''] }) => {
  await (await context.client()).connections.remove(id, { signal: context.signal });
  context.answer({ done: true, target: id }, () => `Removed ${id}.`);
  return EXIT.done;
};

export const describeConnection = ({ id, address, status, reason }: Connection): string =>
  `${address}: ${status}${reason === null ? '' : ` (${oneLine(reason, 200)})`}  ${id}`;
