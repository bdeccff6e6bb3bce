import { setTimeout as sleep } from 'node:timers/promises';
import type { Approval, ExecutorClient } from '@code-executor/sdk';
import type { Handler } from '../command/command.ts';
import type { Context } from '../command/context.ts';
import { askChoice } from '../terminal/prompts.ts';
import { describeApproval } from './approvals.ts';

const POLL_MS = 1_000;

export const watchApprovals: Handler = async (context, { options }) => {
  const client = await context.client();
  const { signal, terminal, json } = context;
  const seen = new Set<string>();
  context.note(terminal.paint('dim', 'Waiting for approvals; Ctrl-C ends it.', 'err'));
  for (;;) {
    // Oldest first: they expire first.
    const { items } = await client.approvals.list({ status: 'pending', limit: 200 }, { signal });
    for (const approval of [...items].reverse()) {
      if (seen.has(approval.id)) continue;
      seen.add(approval.id);
      if (json) terminal.out(`${JSON.stringify(approval)}\n`);
      else await present(context, client, approval);
      if (options.once === true) return 0;
    }
    await sleep(POLL_MS, undefined, { signal });
  }
};

async function present(context: Context, client: ExecutorClient, approval: Approval): Promise<void> {
  const { terminal, signal } = context;
  terminal.out(`\n${describeApproval(approval)}\n`);
  if (!terminal.isInteractive) return;
  const choice = await askChoice(terminal, 'approve, deny or skip', ['a', 'd', 's'], signal);
  if (choice === 's') return;
  const decided = await client.approvals.decide(approval.id, { decision: choice === 'a' ? 'approve' : 'deny' }, { signal });
  terminal.out(`${decided.status}.\n`);
}
