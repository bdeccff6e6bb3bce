import { z } from 'zod';
import { POLICY_ACTIONS } from './tool.ts';

/** What a rule says. `limit` decides nothing: it only counts. */
export const POLICY_RULE_ACTIONS = [...POLICY_ACTIONS, 'limit'] as const;
export type PolicyRuleAction = (typeof POLICY_RULE_ACTIONS)[number];

/** How often a principal may make calls that the rule covers. */
export const policyLimitsSchema = z
  .strictObject({
    perMinute: z.int().min(1).max(1_000_000).optional(),
    perExecution: z.int().min(1).max(1_000_000).optional(),
    perDay: z.int().min(1).max(100_000_000).optional(),
  })
  .refine((limits) => Object.values(limits).some((limit) => limit !== undefined), 'needs perMinute, perExecution or perDay');
export type PolicyLimits = z.infer<typeof policyLimitsSchema>;

/** What was parsed as JSON is JSON. (z.json() refers to itself, which `/openapi.json` cannot show.) */
const json: z.ZodType<z.core.util.JSONType> = z.custom<z.core.util.JSONType>();
const TESTS = {
  equals: json.optional().describe('the very value, of the same type'),
  glob: z.string().max(512).optional().describe('text; * stands for any run of characters, ? for one, \\ takes the next as it is'),
  range: z
    .strictObject({ min: z.number().optional(), max: z.number().optional() })
    .refine(({ min, max }) => min !== undefined || max !== undefined, 'needs min or max')
    .refine(({ min, max }) => min === undefined || max === undefined || min <= max, 'min is above max')
    .optional()
    .describe('a number, both ends included'),
  oneOf: z.array(json).min(1).max(256).optional().describe('one of these values'),
} as const;

const exactlyOne = (test: Readonly<Record<string, unknown>>): boolean =>
  ['equals', 'glob', 'range', 'oneOf', 'not'].filter((name) => test[name] !== undefined).length === 1;

/** A condition on one argument. Exactly one of `equals`, `glob`, `range`, `oneOf`, or `not` around one of them. */
export const policyConditionSchema = z
  .strictObject({
    path: z.string().min(1).max(256).describe('such as $.repo, a.b, labels[0] or $.to[*].email'),
    ...TESTS,
    not: z
      .strictObject(TESTS)
      .refine((test) => exactlyOne(test), 'takes exactly one of equals, glob, range, oneOf')
      .optional(),
    ifMissing: z
      .enum(['match', 'no-match'])
      .optional()
      .describe('what a missing argument counts as; default: no-match for allow, match for every other action'),
  })
  .refine((condition) => exactlyOne(condition), 'takes exactly one of equals, glob, range, oneOf, not');
export type PolicyCondition = z.infer<typeof policyConditionSchema>;

const conditionList = z
  .array(policyConditionSchema)
  .max(16)
  .refine((conditions) => conditions.length > 0, 'needs one condition at least; leave it out where there is none');

/** All must hold. One alone needs no list, and `{PATH: TEST}` is taken for what it means. */
const whenSchema = z.preprocess(listOfConditions, conditionList).meta(jsonSchemaOf(z.union([conditionList, policyConditionSchema])));

function listOfConditions(given: unknown): unknown {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) return given;
  if (Object.hasOwn(given, 'path')) return [given];
  return Object.entries(given).map(([path, test]) =>
    typeof test === 'object' && test !== null ? { ...test, path } : { path, equals: test },
  );
}

/** What is documented of a schema that takes more than it says. */
function jsonSchemaOf(schema: z.ZodType): Record<string, unknown> {
  const { $schema: _, ...documented } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
  // What zod itself says of the list would stand beside it, and refuse the one alone.
  return { type: undefined, items: undefined, minItems: undefined, maxItems: undefined, ...documented };
}

const subject = z
  .string()
  .min(1)
  .max(128)
  .regex(/^\P{Cc}+$/u)
  .describe('the id of a key (key_…), role:agent, or name:ci');
const principalSchema = z.union([z.array(subject).min(1).max(64), subject.transform((one) => [one])]);

/** Visible ASCII: what is decided upon must be what is read. */
const patternSchema = z
  .string()
  .min(1)
  .max(256)
  .regex(/^[\x21-\x7e]+$/)
  .describe('such as *, filesystem.*, github.issues.* or github@work.*: visible ASCII without spaces');

const newPolicyShape = {
  pattern: patternSchema,
  action: z.enum(POLICY_RULE_ACTIONS),
  when: whenSchema.optional(),
  principal: principalSchema.optional(),
  limits: policyLimitsSchema.optional(),
  note: z.string().max(500).optional().describe('why it is there, for people'),
};

/** Body of `POST /policies`. */
export const newPolicySchema = z.strictObject(newPolicyShape);
export type NewPolicy = z.infer<typeof newPolicySchema>;

/** Body of `PATCH /policies/:id`: what is absent stays, null takes away. */
export const policyChangeSchema = z
  .strictObject({
    pattern: newPolicyShape.pattern.optional(),
    action: newPolicyShape.action.optional(),
    when: whenSchema.nullable().optional(),
    principal: principalSchema.nullable().optional(),
    limits: policyLimitsSchema.nullable().optional(),
    note: z.string().max(500).nullable().optional(),
  })
  .refine((change) => Object.values(change).some((value) => value !== undefined), 'changes nothing');
export type PolicyChange = z.infer<typeof policyChangeSchema>;

/** A rule as the API shows it. */
export const policyRecordSchema = z.object({
  id: z.string().describe('source:SLUG for what follows from a server itself'),
  origin: z.enum(['operator', 'source']),
  pattern: z.string(),
  action: z.enum(POLICY_RULE_ACTIONS),
  when: z.array(policyConditionSchema).nullable(),
  principal: z.array(z.string()).nullable(),
  limits: policyLimitsSchema.nullable(),
  note: z.string().nullable(),
  createdAt: z.string().nullable(),
  updatedAt: z.string().nullable(),
  createdBy: z.string().nullable().describe('id of the principal'),
});
export type PolicyRecord = z.infer<typeof policyRecordSchema>;

/** Body of `POST /policies/preview`. */
export const policyPreviewSchema = z.strictObject({
  tool: z.string().min(3).max(400).describe('server.tool, or server@connection.tool'),
  arguments: z.record(z.string(), z.unknown()).default({}),
  principal: z.string().min(1).max(128).optional().describe('the id of a key, role:agent or name:ci; default: who asks'),
  connection: z.string().min(1).max(128).optional(),
});
export type PolicyPreviewQuestion = z.input<typeof policyPreviewSchema>;

export const policyPreviewAnswerSchema = z.object({
  tool: z.string(),
  action: z.enum(POLICY_ACTIONS),
  reason: z.string(),
  decidedBy: policyRecordSchema.nullable().describe('null: the definition of the tool has changed'),
  limits: z.array(z.object({ policyId: z.string(), limits: policyLimitsSchema })),
  considered: z.array(
    z.object({
      policyId: z.string(),
      pattern: z.string(),
      action: z.enum(POLICY_RULE_ACTIONS),
      scope: z.enum(['workspace', 'principal', 'source']),
      applies: z.boolean(),
      decides: z.boolean(),
      why: z.string(),
    }),
  ),
  /** Rules that cover the tool are shown up to this many. */
  omitted: z.int(),
});
export type PolicyPreview = z.infer<typeof policyPreviewAnswerSchema>;
