import { type ExecutorClient, ExecutorError } from '@code-executor/sdk';
import type { Handler } from '../command/command.ts';
import type { Context } from '../command/context.ts';
import { columns } from '../terminal/columns.ts';

export interface Identity {
  readonly url: string;
  readonly server: string | null;
  readonly keySource: string | null;
  readonly id: string;
  readonly role: string;
  readonly name: string | null;
  readonly scopes: readonly string[] | null;
}

export const whoami: Handler = async (context) => {
  context.answer(await identityOf(context, await context.client()), describeIdentity);
  return 0;
};

export async function identityOf(context: Context, client: ExecutorClient): Promise<Identity> {
  const { name: server, keySource } = await context.server();
  const { id, role, name, scopes } = await client.whoami({ signal: context.signal });
  return { url: client.url, server, keySource, id, role, name, scopes };
}

export const describeIdentity = ({ url, server, keySource, id, role, name, scopes }: Identity): string =>
  columns([
    [server ?? 'service', url],
    ['role', role],
    ['key', [name, id].filter((part) => part !== null).join(', ')],
    ...(scopes === null ? [] : [['scopes', scopes.join(' ')]]),
    ...(keySource === null ? [] : [['from', keySource]]),
  ]);

/** Whether a key is let in at all. */
export const isRefused = (error: unknown): boolean => error instanceof ExecutorError && error.code === 'UNAUTHENTICATED';
