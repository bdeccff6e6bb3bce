import type { Integration } from '@code-executor/sdk';
import type { Handler } from '../command/command.ts';
import { textOption } from '../command/option-values.ts';
import { columns, table } from '../terminal/columns.ts';
import { oneLine } from '../terminal/safe-text.ts';

export const listIntegrations: Handler = async (context) => {
  const page = await (await context.client()).integrations.list({ signal: context.signal });
  context.answer(page, ({ items }) =>
    table(
      ['name', 'kind', 'state', 'tools', 'trust', ''],
      items.map(({ slug, kind, state, toolCount, trust, reason, warnings }) => [
        slug,
        kind,
        state,
        String(toolCount),
        String(trust),
        oneLine(reason ?? warnings[0] ?? '', 80),
      ]),
      "There are no integrations yet: 'executor add' adds one.",
    ),
  );
  return 0;
};

export const showIntegration: Handler = async (context, { words: [slug = ''] }) => {
  context.answer(await (await context.client()).integrations.get(slug, { signal: context.signal }), describeIntegration);
  return 0;
};

export const refreshIntegration: Handler = async (context, { words: [slug = ''], options }) => {
  const baseUrl = textOption(options['base-url']);
  const client = await context.client();
  const refreshed = await client.integrations.refresh(slug, baseUrl === undefined ? {} : { baseUrl }, { signal: context.signal });
  context.answer(refreshed, (record) => {
    const changes = [`${record.added.length} added`, `${record.removed.length} removed`, `${record.changed.length} changed`].join(', ');
    return `${describeIntegration(record)}\n${changes}`;
  });
  return 0;
};

export const removeIntegration: Handler = async (context, { words: [slug = ''] }) => {
  await (await context.client()).integrations.remove(slug, { signal: context.signal });
  context.answer({ done: true, target: slug }, () => `Removed ${slug}.`);
  return 0;
};

export function describeIntegration({ slug, kind, state, reason, toolCount, trust, warnings, document }: Integration): string {
  return columns([
    [slug, `${kind}, ${state}${reason === null ? '' : `: ${oneLine(reason, 200)}`}`],
    ['tools', String(toolCount)],
    ['trust', String(trust)],
    ...(document === null
      ? []
      : [
          ['document', oneLine(`${document.title} ${document.version} (${document.format}, ${document.operations} operations)`, 160)],
          ['calls go to', document.baseUrl ?? '(it does not say)'],
        ]),
    ...warnings.map((warning) => ['warning', oneLine(warning, 200)]),
  ]);
}
