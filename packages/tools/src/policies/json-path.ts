import { AppError } from '@code-executor/platform';

/** A step into an argument: the name of a member, a place in a list, or every element of it. */
type Step = string | number | typeof EVERY;
const EVERY = Symbol('every');

export interface JsonPath {
  readonly text: string;
  readonly steps: readonly Step[];
  /** The same steps where none of them goes through a list; null: one does. */
  readonly single: readonly (string | number)[] | null;
}

/** What stands at a path. `complete`: false where an element of a list that `[*]` went through has nothing there. */
export interface Found {
  readonly values: readonly unknown[];
  readonly complete: boolean;
}

const MOST_STEPS = 16;
/** Lists longer than this are not looked through: the condition cannot be evaluated. */
const MOST_VALUES = 1_000;
const STEP = /\.?([A-Za-z_$@][\w$@-]*)|\[(?:(\d{1,6})|(\*)|"((?:[^"\\]|\\["\\])*)"|'((?:[^'\\]|\\['\\])*)')\]/y;

/**
 * A small part of JSONPath: `$.a.b[0]`, `a.b`, `to[*].email`, `a["x y"]`. No filters, no `..`, no negative places.
 * @throws AppError INVALID_REQUEST saying where.
 */
export function parseJsonPath(text: string): JsonPath {
  const refuse = (why: string): never => {
    throw new AppError('INVALID_REQUEST', `path ${JSON.stringify(text.slice(0, 100))} ${why}; write $.a.b[0], a.b or list[*].name`);
  };
  const body = /^\$(?:[.[]|$)/.test(text) ? text.slice(1) : text;
  if (body === '') refuse('names no argument');
  const steps: Step[] = [];
  STEP.lastIndex = 0;
  while (STEP.lastIndex < body.length) {
    const at = STEP.lastIndex;
    const match = STEP.exec(body);
    const isBare = match?.[1] !== undefined && at > 0 && body[at] !== '.';
    if (match === null || isBare) refuse(`cannot be read at character ${at + 1 + text.length - body.length}`);
    else steps.push(stepOf(match));
    if (steps.length > MOST_STEPS) refuse(`has more than ${MOST_STEPS} steps`);
    if (match !== null) STEP.lastIndex = at + match[0].length;
  }
  const single = steps.filter((step) => step !== EVERY);
  return { text, steps, single: single.length === steps.length ? single : null };
}

function stepOf([, name, place, every, double, single]: RegExpExecArray): Step {
  if (name !== undefined) return name;
  if (place !== undefined) return Number(place);
  if (every !== undefined) return EVERY;
  return (double ?? single ?? '').replaceAll(/\\(.)/g, '$1');
}

export const NOTHING = Symbol('nothing');

/** Own members only: what a prototype has is no argument. */
export function valueAt(steps: readonly (string | number)[], root: unknown): unknown {
  let value = root;
  for (const step of steps) {
    if (typeof value !== 'object' || value === null || Array.isArray(value) !== (typeof step === 'number') || !Object.hasOwn(value, step))
      return NOTHING;
    value = (value as Readonly<Record<string | number, unknown>>)[step];
  }
  return value;
}

/** null: there is nothing, or too much to look through. */
export function findAt({ steps }: JsonPath, root: unknown): Found | null {
  let values: unknown[] = [root];
  let complete = true;
  for (const step of steps) {
    const next: unknown[] = [];
    for (const value of values) {
      if (step === EVERY) {
        if (!Array.isArray(value) || value.length === 0) complete = false;
        else if (next.length + value.length > MOST_VALUES) return null;
        else next.push(...value);
      } else if (typeof step === 'number') {
        if (Array.isArray(value) && step < value.length) next.push(value[step]);
        else complete = false;
      } else if (typeof value === 'object' && value !== null && !Array.isArray(value) && Object.hasOwn(value, step)) {
        next.push((value as Readonly<Record<string, unknown>>)[step]);
      } else complete = false;
    }
    if (next.length === 0) return null;
    values = next;
  }
  return { values, complete };
}
