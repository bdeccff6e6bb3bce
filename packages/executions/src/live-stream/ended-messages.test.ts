import { newId } from '@code-executor/contracts';
import { expect, test } from 'vitest';
import type { StoredExecution } from '../read-executions.ts';
import { createEndedMessages } from './ended-messages.ts';

const KEY = 'k'.repeat(43);
const executionId = newId('exe');

function ended(fields: Partial<StoredExecution['record']> = {}): StoredExecution {
  return {
    record: {
      executionId,
      status: 'failed',
      output: 'ü\n',
      resultJson: '12345678901234567890',
      error: { code: 'UNCAUGHT', message: 'no', line: 3, details: { a: [1] } },
      executionTime: 1.5,
      truncated: false,
      droppedBytes: 0,
      effects: 'some',
      toolCalls: [{ tool: 'notes.note', outcome: 'ok', durationMs: 2.5 }],
      metrics: { queueMs: 1, totalMs: 2.25, warm: true, outputBytes: 3, outputTokens: 1 },
      approval: null,
      language: 'python',
      createdAt: '2026-11-21T12:00:00.000Z',
      endedAt: '2026-11-21T12:00:01.000Z',
      ...fields,
    },
    eventsJson: '[["s","queued",1]]',
  };
}

test('a short end is told whole, byte for byte; a long one by its id', () => {
  const messages = createEndedMessages(KEY);
  expect(messages.read(messages.write(executionId, ended()))).toEqual({ executionId, stored: ended() });
  const long = messages.write(executionId, ended({ output: 'x'.repeat(9_000) }));
  expect(long.length).toBeLessThan(100);
  expect(messages.read(long)).toEqual({ executionId, stored: null });
  const escaped = messages.write(executionId, ended({ output: '\u0001'.repeat(7_000) }));
  expect(messages.read(escaped)).toEqual({ executionId, stored: null });
});

test('an end that somebody without the key has made up or changed counts as a hint to look at the row', () => {
  const messages = createEndedMessages(KEY);
  const told = JSON.parse(messages.write(executionId, ended())) as { stored: string; mac: string };
  const forged = [
    { ...told, stored: told.stored.replace('failed', 'succeeded') },
    { ...told, mac: undefined },
    { ...told, mac: '' },
    { ...told, mac: `${told.mac.slice(0, 42)}ü` },
    JSON.parse(createEndedMessages('x'.repeat(43)).write(executionId, ended())),
  ];
  for (const message of forged) expect(messages.read(JSON.stringify({ executionId, ...message }))).toEqual({ executionId, stored: null });
});

test('what was written of one execution is not taken for the end of another', () => {
  const messages = createEndedMessages(KEY);
  const other = newId('exe');
  const told = JSON.parse(messages.write(executionId, ended())) as object;
  expect(messages.read(JSON.stringify({ ...told, executionId: other }))).toEqual({ executionId: other, stored: null });
});

test('without a key on either side ends are told by their ids', () => {
  const [without, having] = [createEndedMessages(undefined), createEndedMessages(KEY)];
  expect(having.read(without.write(executionId, ended()))).toEqual({ executionId, stored: null });
  expect(without.read(having.write(executionId, ended()))).toEqual({ executionId, stored: null });
});

test.each(['', 'null', '{', '[]', '{"executionId":"exe_1; drop"}', '{"executionId":7}'])('a message %j is none', (message) => {
  expect(createEndedMessages(KEY).read(message)).toBeNull();
});
