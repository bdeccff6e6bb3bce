import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { type Handler, UsageError } from '../command/command.ts';
import { textOption } from '../command/option-values.ts';
import { table } from '../terminal/columns.ts';
import { safeText } from '../terminal/safe-text.ts';
import { until } from '../terminal/times.ts';
import { writeBytes } from '../terminal/write-bytes.ts';

export const listSessions: Handler = async (context) => {
  const page = await (await context.client()).sessions.list({ signal: context.signal });
  context.answer(page, ({ items }) =>
    table(
      ['name', 'language', 'status', 'executions', 'ends'],
      items.map((item) => [
        item.sessionId,
        item.language,
        item.status,
        String(item.executions),
        item.expiresAt === null ? '' : until(item.expiresAt),
      ]),
      "There are no sessions: 'executor run --session NAME' begins one.",
    ),
  );
  return 0;
};

export const endSession: Handler = async (context, { words: [id = ''] }) => {
  await (await context.client()).sessions.end(id, { signal: context.signal });
  context.answer({ done: true, target: id }, () => `Ended ${id}.`);
  return 0;
};

export const listFiles: Handler = async (context, { words: [id = ''] }) => {
  const page = await (await context.client()).sessions.files(id, { signal: context.signal });
  context.answer(page, ({ items }) =>
    table(
      ['path', 'bytes'],
      items.map((item) => [safeText(item.path), String(item.bytes)]),
      'It has no files.',
    ),
  );
  return 0;
};

export const upload: Handler = async (context, { words: [id = '', file = '', path] }) => {
  const stored = await (await context.client()).sessions.upload(id, path ?? basename(file), contentOf(file), { signal: context.signal });
  context.answer(stored, (item) => `${safeText(item.path)}: ${item.bytes} bytes.`);
  return 0;
};

function contentOf(file: string): Uint8Array {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new UsageError(`${file} cannot be read: ${error instanceof Error ? error.message : String(error)}.`);
  }
}

export const download: Handler = async (context, { words: [id = '', path = ''], options }) => {
  writeBytes(context, await (await context.client()).sessions.download(id, path, { signal: context.signal }), textOption(options.output));
  return 0;
};
