import { expect, test } from 'vitest';
import { z } from 'zod';
import { describeIssues } from './describe-issues.ts';

function problemsOf(schema: z.ZodType, data: unknown): string[] {
  return describeIssues(schema, schema.safeParse(data).error?.issues ?? [], data, 'body').map(({ message }) => message);
}

test('a list of the wrong length is told its length, and how long it may be', () => {
  const schema = z.strictObject({ tools: z.array(z.string()).min(1).max(2) });
  expect(problemsOf(schema, { tools: [] })).toEqual(['Field "tools" must be an array of 1 to 2 elements, not one of 0.']);
  expect(problemsOf(schema, { tools: ['a', 'b', 'c'] })).toEqual(['Field "tools" must be an array of 1 to 2 elements, not one of 3.']);
  expect(problemsOf(schema, { tools: 'a' })).toEqual(['Field "tools" must be an array of 1 to 2 elements, not the string "a".']);
});
