import { readFileSync } from 'node:fs';
import type { ConnectionAuth } from '@code-executor/sdk';
import { type Options, UsageError } from '../command/command.ts';
import type { Context } from '../command/context.ts';
import { oneOf, textOption } from '../command/option-values.ts';
import { askChoice, askSecret, askText } from '../terminal/prompts.ts';

const TYPES = ['bearer', 'apiKey', 'basic', 'oauth2', 'none'] as const;

/** The credential that options and prompts make; null: none. A secret is read from a file or typed unseen. */
export async function readCredential(context: Context, options: Options): Promise<ConnectionAuth | null> {
  const { terminal, signal } = context;
  const asked = oneOf(options.auth, '--auth', TYPES);
  const type = asked ?? (terminal.isInteractive ? await askChoice(terminal, 'Credential', TYPES, signal) : undefined);
  if (type === undefined) throw new UsageError(`Say --auth: ${TYPES.join(', ')}.`);
  if (type === 'none') return null;
  if (type === 'oauth2') {
    const clientId = textOption(options['client-id']);
    const hasSecret = options['secret-file'] !== undefined;
    return {
      type,
      ...(clientId === undefined ? {} : { clientId }),
      ...(hasSecret ? { clientSecret: await secretOf(context, options, 'Client secret') } : {}),
    };
  }
  if (type === 'basic') {
    const username = textOption(options.username) ?? (await askText(terminal, 'User name', signal));
    return { type, username, password: await secretOf(context, options, 'Password') };
  }
  if (type === 'bearer') return { type, token: await secretOf(context, options, 'Token') };
  const place = oneOf(options.in, '--in', ['header', 'query', 'cookie']);
  const name = textOption(options.header);
  return {
    type,
    value: await secretOf(context, options, 'API key'),
    ...(place === undefined ? {} : { in: place }),
    ...(name === undefined ? {} : { name }),
  };
}

async function secretOf({ terminal, signal }: Context, options: Options, what: string): Promise<string> {
  const file = textOption(options['secret-file']);
  if (file === undefined) return askSecret(terminal, what, signal);
  const text = (file === '-' ? terminal.readStdin() : readSecret(file)).trim();
  if (text === '') throw new UsageError(`There is nothing in ${file === '-' ? 'the standard input' : file}.`);
  return text;
}

function readSecret(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new UsageError(`--secret-file ${file} cannot be read: ${error instanceof Error ? error.message : String(error)}.`);
  }
}
