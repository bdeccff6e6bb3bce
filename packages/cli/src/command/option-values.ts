import { readFileSync } from 'node:fs';
import { UsageError } from './command.ts';

export const textOption = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);

export function wholeNumber(value: unknown, option: string, maximum: number): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== 'string' || !/^\d{1,9}$/.test(value) || Number(value) < 1 || Number(value) > maximum) {
    throw new UsageError(`${option} takes a whole number from 1 to ${maximum}, not ${JSON.stringify(value)}.`);
  }
  return Number(value);
}

export function oneOf<Choice extends string>(value: unknown, option: string, choices: readonly Choice[]): Choice | undefined {
  if (value === undefined) return undefined;
  const choice = choices.find((name) => name === value);
  if (choice === undefined) throw new UsageError(`${option} takes ${choices.join(', ')}, not ${JSON.stringify(value)}.`);
  return choice;
}

/** An object as JSON, or the file that holds one behind an @. */
export function jsonObject(text: string, option: string): Record<string, unknown> {
  let parsed: unknown;
  const source = text.startsWith('@') ? readNamed(text.slice(1), option) : text;
  try {
    parsed = JSON.parse(source);
  } catch (error) {
    throw new UsageError(`${option} is no JSON: ${error instanceof Error ? error.message : String(error)}.`);
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
    throw new UsageError(`${option} must be a JSON object such as '{"a": 1}'.`);
  return parsed as Record<string, unknown>;
}

function readNamed(path: string, option: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new UsageError(`${option} cannot be read from ${path}: ${error instanceof Error ? error.message : String(error)}.`);
  }
}
