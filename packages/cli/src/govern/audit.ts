import type { AuditFilter } from '@code-executor/sdk';
import type { Handler, Options } from '../command/command.ts';
import { timeOption } from '../command/duration.ts';
import { textOption, wholeNumber } from '../command/option-values.ts';
import { EXIT } from '../exit-codes.ts';
import { table } from '../terminal/columns.ts';
import { oneLine } from '../terminal/safe-text.ts';

export const showAudit: Handler = async (context, { options }) => {
  const client = await context.client();
  const { signal, terminal } = context;
  const filter = filterOf(options);
  if (options.verify === true) {
    const chain = await client.audit.verify({ signal });
    context.answer(chain, ({ whole, checked, brokenAt }) =>
      whole ? `Whole: ${checked} acts.` : `Broken at ${brokenAt}, after ${checked} acts.`,
    );
    return chain.whole ? EXIT.done : EXIT.failed;
  }
  if (options.export === true) {
    for await (const record of client.audit.export(filter, { signal })) terminal.out(`${JSON.stringify(record)}\n`);
    return EXIT.done;
  }
  const page = await client.audit.list({ ...filter, limit: wholeNumber(options.limit, '--limit', 1_000) ?? 50 }, { signal });
  context.answer(page, ({ items }) =>
    table(
      ['at', 'type', 'who', 'what', 'outcome'],
      items.map(({ at, type, principal, server, tool, target, outcome, decision }) => [
        at,
        type,
        oneLine(principal.name ?? principal.id ?? '', 30),
        oneLine(tool === null ? (target ?? '') : `${server ?? ''}.${tool}`, 60),
        [outcome ?? 'unknown', decision ?? ''].filter((part) => part !== '').join(', '),
      ]),
      'The record has nothing of that.',
    ),
  );
  return EXIT.done;
};

function filterOf(options: Options): AuditFilter {
  const given = {
    type: textOption(options.type),
    principal: textOption(options.principal),
    tool: textOption(options.tool),
    server: textOption(options.source),
    execution: textOption(options.execution),
    outcome: textOption(options.outcome),
    since: timeOption(options.since, '--since', 'back'),
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}
