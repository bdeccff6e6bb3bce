import type { ExecutionStatus, RecordedExecution } from '@code-executor/sdk';
import type { Handler } from '../command/command.ts';
import { timeOption } from '../command/duration.ts';
import { oneOf, textOption, wholeNumber } from '../command/option-values.ts';
import { followExecution } from '../run/follow-execution.ts';
import { columns, table } from '../terminal/columns.ts';
import { oneLine, safeText } from '../terminal/safe-text.ts';
import { writeBytes } from '../terminal/write-bytes.ts';

const STATUSES: readonly ExecutionStatus[] = ['queued', 'running', 'paused', 'succeeded', 'failed', 'timed_out', 'cancelled'];

export const listExecutions: Handler = async (context, { options }) => {
  const status = oneOf(options.status, '--status', STATUSES);
  const limit = wholeNumber(options.limit, '--limit', 200) ?? 20;
  const client = await context.client();
  const page = await client.executions.list({ limit, ...(status === undefined ? {} : { status }) }, { signal: context.signal });
  context.answer(page, ({ items }) =>
    table(
      ['id', 'created', 'status', 'language', 'ms', 'calls', ''],
      items.map((item) => [
        item.executionId,
        item.createdAt,
        item.status,
        item.language,
        item.executionTime.toFixed(0),
        String(item.toolCalls),
        item.error === null ? '' : oneLine(`${item.error.code}: ${item.error.message}`, 70),
      ]),
      'There are no such executions.',
    ),
  );
  return 0;
};

export const showExecution: Handler = async (context, { words: [id = ''] }) => {
  context.answer(await (await context.client()).executions.get(id, { signal: context.signal }), describeExecution);
  return 0;
};

function describeExecution(execution: RecordedExecution): string {
  const { executionId, status, language, createdAt, endedAt, executionTime, effects, error, toolCalls, output, result, approval } =
    execution;
  const rows = columns([
    [executionId, status],
    ['language', language],
    ['created', createdAt],
    ['ended', endedAt ?? ''],
    ['ran', `${executionTime.toFixed(1)} ms`],
    ['effects', effects],
    ...(error === null ? [] : [['error', oneLine(`${error.code}: ${error.message}`, 300)]]),
    ...(approval === null ? [] : [['waits for', `${approval.tool} (${approval.id})`]]),
    ...toolCalls.map(({ tool, outcome, durationMs }) => ['called', `${oneLine(tool)}  ${oneLine(outcome)}  ${durationMs.toFixed(1)} ms`]),
  ]);
  const parts = [
    rows,
    output === '' ? '' : `output\n${safeText(output)}`,
    result == null ? '' : `result\n${JSON.stringify(result, null, 2)}`,
  ];
  return parts.filter((part) => part !== '').join('\n\n');
}

export const follow: Handler = (context, { words: [id = ''] }) =>
  followExecution(context, id, { cancelOnInterrupt: false, waitWhilePaused: true });

export const cancelExecution: Handler = async (context, { words: [id = ''] }) => {
  const execution = await (await context.client()).executions.cancel(id, { signal: context.signal });
  context.answer(execution, ({ status }) => `${id} is ${status}.`);
  return 0;
};

export const artifacts: Handler = async (context, { words: [id = '', path], options }) => {
  const client = await context.client();
  if (path !== undefined) {
    writeBytes(context, await client.executions.artifact(id, path, { signal: context.signal }), textOption(options.output));
    return 0;
  }
  context.answer(await client.executions.artifacts(id, { signal: context.signal }), ({ items, omitted }) =>
    [
      table(
        ['path', 'bytes'],
        items.map((item) => [safeText(item.path), String(item.bytes)]),
        'It left no files.',
      ),
      ...omitted.map((item) => `left out: ${safeText(item.path)} (${safeText(item.reason)})`),
    ].join('\n'),
  );
  return 0;
};

export const exportExecutions: Handler = async (context, { options }) => {
  const from = timeOption(options.since, '--since', 'back');
  const status = oneOf(options.status, '--status', STATUSES);
  const query = { ...(from === undefined ? {} : { from }), ...(status === undefined ? {} : { status }) };
  const client = await context.client();
  for await (const execution of client.executions.export(query, { signal: context.signal }))
    context.terminal.out(`${JSON.stringify(execution)}\n`);
  return 0;
};
