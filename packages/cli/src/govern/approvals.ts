import type { Approval } from '@code-executor/sdk';
import type { Handler, Options } from '../command/command.ts';
import type { Context } from '../command/context.ts';
import { oneOf, textOption, wholeNumber } from '../command/option-values.ts';
import { columns, table } from '../terminal/columns.ts';
import { oneLine } from '../terminal/safe-text.ts';
import { ago, until } from '../terminal/times.ts';

const SCOPES = ['once', 'execution', 'always'] as const;

export const listApprovals: Handler = async (context, { options }) => {
  const limit = wholeNumber(options.limit, '--limit', 200) ?? 50;
  const query = options.all === true ? { limit } : { limit, status: 'pending' as const };
  const page = await (await context.client()).approvals.list(query, { signal: context.signal });
  context.answer(page, ({ items }) =>
    table(
      ['id', 'status', 'tool', 'arguments', 'asked', 'expires'],
      items.map(({ id, status, tool, arguments: args, createdAt, expiresAt }) => [
        id,
        status,
        tool,
        oneLine(JSON.stringify(args) ?? '', 60),
        ago(createdAt),
        status === 'pending' ? until(expiresAt) : '',
      ]),
      options.all === true ? 'There were no approvals yet.' : 'Nothing waits for a decision.',
    ),
  );
  return 0;
};

export const showApproval: Handler = async (context, { words: [id = ''] }) => {
  context.answer(await (await context.client()).approvals.get(id, { signal: context.signal }), describeApproval);
  return 0;
};

export const approve: Handler = (context, { words: [id = ''], options }) => decide(context, id, 'approve', options);
export const deny: Handler = (context, { words: [id = ''], options }) => decide(context, id, 'deny', options);

async function decide(context: Context, id: string, decision: 'approve' | 'deny', options: Options): Promise<number> {
  const client = await context.client();
  const decided = await client.approvals.decide(id, { decision, ...verdictOf(options) }, { signal: context.signal });
  context.answer(decided, ({ status, tool, executionId, selfApproved }) => {
    const own = selfApproved ? ' (by the key that asked; the record says so)' : '';
    return `${tool} was ${status === 'denied' ? 'denied' : 'approved'}${own}. ${executionId} goes on.`;
  });
  return 0;
}

/** What a decision carries besides itself. */
export function verdictOf(options: Options): { readonly scope?: (typeof SCOPES)[number]; readonly reason?: string } {
  const scope = oneOf(options.scope, '--scope', SCOPES);
  const reason = textOption(options.reason);
  return { ...(scope === undefined ? {} : { scope }), ...(reason === undefined ? {} : { reason }) };
}

/** Everything a person has to see before deciding. */
export function describeApproval(approval: Approval): string {
  const { id, status, tool, principalId, executionId, callNumber, policyReason, expiresAt, url, argumentsTruncated, reason } = approval;
  const rows = columns([
    [tool, status],
    ['approval', id],
    ['asked by', `${principalId}, call ${callNumber} of ${executionId}`],
    ['because', oneLine(policyReason, 160)],
    ...(status === 'pending' ? [['expires', `${until(expiresAt)} (${expiresAt})`]] : []),
    ...(reason === null ? [] : [['reason', oneLine(reason, 200)]]),
    ['at', url],
  ]);
  const args = JSON.stringify(approval.arguments, null, 2) ?? '';
  return `${rows}\narguments${argumentsTruncated ? ' (longer than what is shown)' : ''}\n${args}`;
}
