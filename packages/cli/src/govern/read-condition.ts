import type { PolicyCondition } from '@code-executor/sdk';
import { UsageError } from '../command/command.ts';

/** `path=value`, `path~glob`, `path>=1`, `path<=9`, or the condition as JSON. A value that is JSON is that, else it is text. */
export function readCondition(text: string): PolicyCondition {
  if (text.trimStart().startsWith('{')) return readJson(text) as PolicyCondition;
  const [, path, operator, value] = /^([^=~<>]+)(>=|<=|=|~)(.*)$/s.exec(text) ?? [];
  if (path === undefined || operator === undefined || value === undefined) {
    throw new UsageError(`--when ${JSON.stringify(text)} is no condition; such as repo=acme/app, path~/data/* or amount<=100.`);
  }
  if (operator === '~') return { path, glob: value };
  if (operator === '=') return { path, equals: looseValue(value) };
  if (value.trim() === '' || !Number.isFinite(Number(value)))
    throw new UsageError(`--when ${JSON.stringify(text)} compares with what is no number.`);
  return { path, range: operator === '>=' ? { min: Number(value) } : { max: Number(value) } };
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new UsageError(`--when is no JSON: ${error instanceof Error ? error.message : String(error)}.`);
  }
}

function looseValue(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
