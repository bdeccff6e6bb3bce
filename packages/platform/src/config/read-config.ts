import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { AppError, messageOf } from '../errors.ts';
import { nearest } from './nearest.ts';

/** Variables of ours start with this; an unknown one is most likely a slip of the pen, so it is an error. */
const PREFIX = 'EXECUTOR_';
/** The CLI's own: they may stand in the environment that a service is started from. */
const CLI_VARIABLES: readonly string[] = ['EXECUTOR_URL', 'EXECUTOR_KEY', 'EXECUTOR_KEY_FILE', 'EXECUTOR_CHECKOUT'];

/**
 * Reads the environment once through `schema` (its keys are the variables' names). `NAME_FILE` gives the value of `NAME`
 * from a file (Docker and Kubernetes secrets); an empty value, or an empty file, counts as unset. `foreign` names variables of ours that
 * other programs read, or whose beginning (`EXECUTOR_X_*`) is the operator's to go on from. Throws INVALID_REQUEST whose message has one line per wrong variable.
 */
export function readConfig<Shape extends z.ZodRawShape>(
  schema: z.ZodObject<Shape>,
  environment: Readonly<Record<string, string | undefined>>,
  foreign: readonly string[] = [],
): z.infer<z.ZodObject<Shape>> {
  const names = Object.keys(schema.shape);
  const values: Record<string, string> = {};
  const problems: string[] = [];
  for (const name of names) {
    try {
      const value = readVariable(name, environment);
      if (value !== undefined) values[name] = value;
    } catch (error) {
      problems.push(messageOf(error));
    }
  }
  for (const name of Object.keys(environment)) {
    if (CLI_VARIABLES.includes(name)) continue;
    if (!name.startsWith(PREFIX) || foreign.some((known) => isNamed(name, known))) continue;
    if (names.includes(name) || names.includes(name.replace(/_FILE$/, ''))) continue;
    const near = nearest(name, names);
    problems.push(`${name} is no variable of this service${near ? `; did you mean ${near}?` : ''}`);
  }
  const parsed = schema.safeParse(values);
  if (!parsed.success) problems.push(...parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`));
  if (problems.length > 0 || !parsed.success)
    throw new AppError('INVALID_REQUEST', `The configuration is wrong.\n  ${problems.join('\n  ')}`);
  return parsed.data;
}

const isNamed = (name: string, known: string): boolean => (known.endsWith('*') ? name.startsWith(known.slice(0, -1)) : name === known);

function readVariable(name: string, environment: Readonly<Record<string, string | undefined>>): string | undefined {
  const direct = environment[name];
  const file = environment[`${name}_FILE`];
  if (direct && file) throw new Error(`${name} and ${name}_FILE are both set; keep one`);
  if (!file) return direct === '' ? undefined : direct;
  try {
    const text = readFileSync(file, 'utf8').trimEnd();
    return text === '' ? undefined : text;
  } catch (error) {
    throw new Error(`${name}_FILE: cannot read ${file} (${messageOf(error)})`, { cause: error });
  }
}

/** A whole number from a variable, with its unit in the message. */
export const wholeNumber = (range: { readonly min: number; readonly max: number; readonly unit: string }) =>
  z
    .string()
    .regex(/^\d+$/, `must be a whole number of ${range.unit}`)
    .transform(Number)
    .refine((value) => value >= range.min && value <= range.max, `must be from ${range.min} to ${range.max} ${range.unit}`);
