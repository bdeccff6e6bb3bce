import { writeFileSync } from 'node:fs';
import type { Handler } from '../command/command.ts';
import { timeOption } from '../command/duration.ts';
import { oneOf, textOption } from '../command/option-values.ts';
import { table } from '../terminal/columns.ts';
import { oneLine } from '../terminal/safe-text.ts';

export const listKeys: Handler = async (context) => {
  const page = await (await context.client()).keys.list({ signal: context.signal });
  context.answer(page, ({ items }) =>
    table(
      ['id', 'name', 'role', 'scopes', 'state'],
      items.map(({ id, name, role, scopes, revokedAt, expiresAt }) => [
        id,
        oneLine(name, 40),
        role,
        scopes?.join(' ') ?? '',
        revokedAt !== null ? 'revoked' : expiresAt === null ? 'valid' : `until ${expiresAt}`,
      ]),
      'There are no keys.',
    ),
  );
  return 0;
};

export const createKey: Handler = async (context, { words: [name = ''], options }) => {
  const scopes = options.scope as string[] | undefined;
  const expiresAt = timeOption(options.expires, '--expires', 'ahead');
  const created = await (await context.client()).keys.create(
    {
      name,
      role: oneOf(options.role, '--role', ['admin', 'operator', 'agent']) ?? 'agent',
      ...(scopes === undefined ? {} : { scopes }),
      ...(expiresAt === undefined ? {} : { expiresAt }),
    },
    { signal: context.signal },
  );
  const output = textOption(options.output);
  if (output === undefined) {
    context.note(`${created.role} key ${created.id}; it is shown this once:`);
    context.answer(created, ({ key }) => key);
    return 0;
  }
  writeFileSync(output, `${created.key}\n`, { mode: 0o600, flag: 'wx' });
  context.answer({ ...created, key: `(in ${output})` }, ({ id, role }) => `${role} key ${id} is in ${output}.`);
  return 0;
};

export const revokeKey: Handler = async (context, { words: [id = ''] }) => {
  const key = await (await context.client()).keys.revoke(id, { signal: context.signal });
  context.answer(key, ({ name }) => `Revoked ${id} (${oneLine(name, 40)}).`);
  return 0;
};
