import type { NewPolicy, Policy } from '@code-executor/sdk';
import type { Handler, Options } from '../command/command.ts';
import { jsonObject, oneOf, textOption, wholeNumber } from '../command/option-values.ts';
import { table } from '../terminal/columns.ts';
import { oneLine, safeText } from '../terminal/safe-text.ts';
import { readCondition } from './read-condition.ts';

const ACTIONS = ['allow', 'require_approval', 'block', 'limit'] as const;

export const listPolicies: Handler = async (context, { options }) => {
  const page = await (await context.client()).policies.list(options.derived === true ? { derived: true } : {}, { signal: context.signal });
  context.answer(page, ({ items }) =>
    table(
      ['id', 'pattern', 'action', 'for', 'note'],
      items.map((policy) => [
        policy.id,
        policy.pattern,
        policy.action,
        policy.principal?.join(', ') ?? 'all',
        oneLine(remarkOf(policy), 90),
      ]),
      'There are no policies: what follows from each server itself decides (--derived shows it).',
    ),
  );
  return 0;
};

function remarkOf({ when, limits, note }: Policy): string {
  const parts = [
    when === null ? '' : `when ${when.map((condition) => JSON.stringify(condition)).join(' and ')}`,
    limits === null ? '' : JSON.stringify(limits),
    note ?? '',
  ];
  return parts.filter((part) => part !== '').join(' · ');
}

export const addPolicy: Handler = async (context, { words: [pattern = '', action], options }) => {
  const policy = await (await context.client()).policies.add(policyOf(pattern, action, options), { signal: context.signal });
  context.answer(policy, ({ id }) => `${pattern}: ${policy.action} (${id})`);
  return 0;
};

function policyOf(pattern: string, action: string | undefined, options: Options): NewPolicy {
  const when = ((options.when as readonly string[] | undefined) ?? []).map(readCondition);
  const principal = (options.principal as string[] | undefined) ?? [];
  const note = textOption(options.note);
  const limits = limitsOf(options);
  return {
    pattern,
    action: oneOf(action, '<action>', ACTIONS) ?? 'block',
    ...(when.length === 0 ? {} : { when }),
    ...(principal.length === 0 ? {} : { principal }),
    ...(limits === undefined ? {} : { limits }),
    ...(note === undefined ? {} : { note }),
  };
}

function limitsOf(options: Options): NewPolicy['limits'] {
  const perMinute = wholeNumber(options['per-minute'], '--per-minute', 1_000_000);
  const perExecution = wholeNumber(options['per-execution'], '--per-execution', 1_000_000);
  const perDay = wholeNumber(options['per-day'], '--per-day', 100_000_000);
  if (perMinute === undefined && perExecution === undefined && perDay === undefined) return undefined;
  return {
    ...(perMinute === undefined ? {} : { perMinute }),
    ...(perExecution === undefined ? {} : { perExecution }),
    ...(perDay === undefined ? {} : { perDay }),
  };
}

export const removePolicy: Handler = async (context, { words: [id = ''] }) => {
  await (await context.client()).policies.remove(id, { signal: context.signal });
  context.answer({ done: true, target: id }, () => `Removed ${id}.`);
  return 0;
};

export const previewPolicy: Handler = async (context, { words: [tool = '', json], options }) => {
  const principal = textOption(options.principal);
  const question = {
    tool,
    ...(json === undefined ? {} : { arguments: jsonObject(json, 'The arguments') }),
    ...(principal === undefined ? {} : { principal }),
  };
  const preview = await (await context.client()).policies.preview(question, { signal: context.signal });
  context.answer(preview, ({ action, reason, considered }) => {
    const rows = considered.map((rule) => [
      rule.decides ? '→' : rule.applies ? '·' : '',
      rule.pattern,
      rule.action,
      oneLine(rule.why, 100),
    ]);
    return `${tool}: ${action}\n${safeText(reason)}\n\n${table(['', 'rule', 'action', 'why'], rows, 'No rule covers it.')}`;
  });
  return 0;
};
