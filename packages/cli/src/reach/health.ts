import type { Handler } from '../command/command.ts';
import { EXIT } from '../exit-codes.ts';
import { columns } from '../terminal/columns.ts';

export const health: Handler = async (context) => {
  const answer = await (await context.client()).health({ signal: context.signal });
  const { url } = await context.server();
  context.answer(answer, ({ status, version, uptime, totalTools, queue, servers }) =>
    columns([
      [url, status],
      ['version', version],
      ['up', `${Math.round(uptime)} s`],
      ['tools', `${totalTools} of ${Object.keys(servers).length} servers`],
      ['executions', `${queue.running} running, ${queue.queued} queued`],
      ...Object.entries(servers)
        .filter(([, state]) => state === 'broken')
        .map(([slug]) => ['broken', `${slug}: 'executor integrations show ${slug}' says why`]),
    ]),
  );
  return answer.status === 'ok' ? EXIT.done : EXIT.failed;
};
