import type { JsonSchema, ToolDefinition } from '@code-executor/contracts';
import { messageOf, nearest } from '@code-executor/platform';
import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { runBounded } from './bounded-run.ts';

export interface ArgumentProblem {
  /** JSON Pointer into the arguments. */
  readonly path: string;
  readonly message: string;
}

export interface ArgumentValidator {
  /** Empty: the arguments fit. Each schema is compiled at its first use and kept as long as the tool is. */
  check(tool: ToolDefinition, args: Readonly<Record<string, unknown>>): readonly ArgumentProblem[];
}

/** Undefined: not done in time. */
type Check = (args: Readonly<Record<string, unknown>>) => readonly ArgumentProblem[] | undefined;

const SCHEMA_LIMIT_CHARACTERS = 128 * 1024;
const COMPILE_TIMEOUT_MS = 1_000;
const CHECK_TIMEOUT_MS = 200;
/** References can double the work at each step; without them it is bounded by the sizes of schema and arguments. */
const LARGE_ARGUMENTS = 200;
const MOST_PROBLEMS = 10;
/**
 * Keywords of a foreign schema that are left to the upstream itself: regular expressions can take for ever on a chosen
 * string, `uniqueItems` takes quadratic time, and remote identities would let one schema stand in for another.
 */
const UNCHECKED_KEYWORDS = new Set(['pattern', 'uniqueItems', '$id', 'id', '$anchor', '$dynamicAnchor', '$recursiveAnchor', '$vocabulary']);

export function createArgumentValidator(onBrokenSchema: (tool: ToolDefinition, reason: string) => void): ArgumentValidator {
  const checks = new WeakMap<ToolDefinition, Check>();
  return {
    check(tool, args) {
      let check = checks.get(tool);
      if (check === undefined) {
        check = compile(tool, onBrokenSchema);
        checks.set(tool, check);
      }
      try {
        const problems = check(args);
        if (problems !== undefined) return problems;
      } catch (error) {
        // A schema that refers to itself without end runs out of stack; it says nothing about the arguments.
        if (!(error instanceof RangeError)) throw error;
      }
      checks.set(tool, () => []);
      onBrokenSchema(tool, 'checking against its input schema does not come to an end');
      return [];
    },
  };
}

function compile(tool: ToolDefinition, onBrokenSchema: (tool: ToolDefinition, reason: string) => void): Check {
  const broken = (reason: string): Check => {
    onBrokenSchema(tool, reason);
    return () => [];
  };
  try {
    if (JSON.stringify(tool.inputSchema).length > SCHEMA_LIMIT_CHARACTERS) return broken('its input schema is too large to be checked');
    const schema = closed(withoutUnchecked(tool.inputSchema, false) as JsonSchema);
    const compiled = runBounded(() => compileDraft(schema), COMPILE_TIMEOUT_MS);
    if (compiled === undefined) return broken('its input schema takes too long to compile');
    const validate = compiled.result;
    const hasReferences = JSON.stringify(schema).includes('"$ref"') || JSON.stringify(schema).includes('"$dynamicRef"');
    const known = typeof schema === 'object' && isRecord(schema.properties) ? Object.keys(schema.properties) : [];
    return (args) => {
      const isFit = hasReferences || isLarge(args) ? runBounded(() => validate(args), CHECK_TIMEOUT_MS)?.result : validate(args);
      if (isFit === undefined) return undefined;
      return isFit ? [] : [...unknownArguments(args, schema, validate.errors ?? []), ...problemsOf(validate.errors ?? [], known)];
    };
  } catch (error) {
    return broken(`its input schema cannot be used: ${messageOf(error).slice(0, 300)}`);
  }
}

/** An instance for each schema: Ajv keeps what it compiles for ever, and one schema must not see another's definitions. */
function compileDraft(schema: JsonSchema): ValidateFunction {
  const options = {
    strict: false,
    validateSchema: false,
    meta: false,
    allErrors: false,
    ownProperties: true,
    logger: false,
    addUsedSchema: false,
  } as const;
  const draft = typeof schema === 'object' && typeof schema.$schema === 'string' ? schema.$schema : '';
  const { $schema: _, ...plain } = typeof schema === 'object' ? schema : {};
  const body = typeof schema === 'object' ? plain : schema;
  const compileWith = (ajv: Ajv | Ajv2020): ValidateFunction => {
    addFormats.default(ajv as Ajv, { mode: 'fast' });
    return ajv.compile(body);
  };
  if (/draft-0[3-7]/.test(draft)) return compileWith(new Ajv(options));
  try {
    return compileWith(new Ajv2020(options));
  } catch (error) {
    // Without a `$schema` it may as well be an older draft (`items` as a list, say).
    if (draft !== '') throw error;
    return compileWith(new Ajv(options));
  }
}

/** A list of properties is taken to be complete, so that a misspelt argument is named instead of being lost upstream. */
function closed(schema: JsonSchema): JsonSchema {
  if (typeof schema !== 'object' || !isRecord(schema.properties)) return schema;
  if ('additionalProperties' in schema || 'unevaluatedProperties' in schema || 'patternProperties' in schema) return schema;
  // What these add to the properties is not known here.
  if (['allOf', 'anyOf', 'oneOf', 'if', '$ref', '$dynamicRef', 'dependentSchemas'].some((keyword) => keyword in schema)) return schema;
  return { ...schema, additionalProperties: false };
}

/** A copy without the unchecked keywords. Below `properties` and the like the keys are names, not keywords. */
function withoutUnchecked(node: unknown, keysAreNames: boolean): unknown {
  if (Array.isArray(node)) return node.map((child) => withoutUnchecked(child, false));
  if (!isRecord(node)) return node;
  const copy: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  for (const [key, child] of Object.entries(node)) {
    if (keysAreNames) copy[key] = withoutUnchecked(child, false);
    else if (key === 'patternProperties' || UNCHECKED_KEYWORDS.has(key)) continue;
    // Without its patterns a closed list would refuse what the patterns let in.
    else if (key === 'additionalProperties' && 'patternProperties' in node) continue;
    else if (['const', 'enum', 'default', 'examples', 'required'].includes(key)) copy[key] = child;
    else copy[key] = withoutUnchecked(child, ['properties', '$defs', 'definitions', 'dependentSchemas', 'dependencies'].includes(key));
  }
  if (!keysAreNames && 'patternProperties' in node) copy.additionalProperties = true;
  return copy;
}

/** A misspelt argument is also a missing one, and the check stops at its first fault, the missing one: this names what was written instead. */
function unknownArguments(args: Readonly<Record<string, unknown>>, schema: JsonSchema, errors: readonly ErrorObject[]): ArgumentProblem[] {
  const isMissing = errors.some(({ keyword, instancePath }) => keyword === 'required' && instancePath === '');
  if (!isMissing || typeof schema !== 'object' || schema.additionalProperties !== false || !isRecord(schema.properties)) return [];
  const { properties } = schema;
  const extra = Object.keys(args).filter((name) => !Object.hasOwn(properties, name));
  return extra.slice(0, MOST_PROBLEMS).map((name) => unknownArgument(name, '', Object.keys(properties)));
}

function unknownArgument(name: string, place: string, known: readonly string[]): ArgumentProblem {
  const near = place === '' ? nearest(name, known) : null;
  const hint = near !== null ? `did you mean ${JSON.stringify(near)}?` : place === '' ? `known are ${known.join(', ') || 'none'}` : '';
  return {
    path: `${place}/${name}`.slice(0, 300),
    message: `unknown argument ${JSON.stringify(name.slice(0, 80))}${hint ? `: ${hint.slice(0, 300)}` : ''}`,
  };
}

function problemsOf(errors: readonly ErrorObject[], known: readonly string[]): ArgumentProblem[] {
  return errors.slice(0, MOST_PROBLEMS).map((error) => {
    const extra: unknown = error.params.additionalProperty ?? error.params.unevaluatedProperty;
    if (typeof extra === 'string') return unknownArgument(extra, error.instancePath, known);
    const allowed: unknown = error.params.allowedValues;
    const list = Array.isArray(allowed)
      ? `: ${allowed
          .slice(0, 20)
          .map((value) => JSON.stringify(value))
          .join(', ')}`
      : '';
    return {
      path: error.instancePath.slice(0, 300),
      message: `${error.instancePath === '' ? '' : `${error.instancePath.slice(1)} `}${error.message ?? 'does not fit'}${list}`.slice(
        0,
        500,
      ),
    };
  });
}

/** More than so many values in all. */
function isLarge(args: unknown): boolean {
  let values = 0;
  const count = (value: unknown): boolean => {
    values += 1;
    if (values > LARGE_ARGUMENTS) return true;
    return typeof value === 'object' && value !== null && Object.values(value).some(count);
  };
  return count(args);
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);
