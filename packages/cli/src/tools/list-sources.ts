import type { Handler } from '../command/command.ts';
import { table } from '../terminal/columns.ts';

export const listSources: Handler = async (context) => {
  const health = await (await context.client()).health({ signal: context.signal });
  const items = Object.entries(health.servers).map(([server, state]) => ({ server, state, tools: health.toolsByServer[server] ?? 0 }));
  context.answer({ items, total: items.length, totalTools: health.totalTools }, (value) =>
    table(
      ['server', 'tools', 'state'],
      value.items.map(({ server, tools, state }) => [server, String(tools), state]),
      "There are no servers yet: 'executor add' adds one.",
    ),
  );
  return 0;
};
