import { z } from 'zod';
import { CODE_LIMIT_BYTES } from './execution.ts';

/** The server under which skills stand in catalog, policies and search. No integration may be called so. */
export const SKILLS_SERVER = 'skills';

export const SKILL_LANGUAGES = ['typescript', 'python'] as const;
export type SkillLanguage = (typeof SKILL_LANGUAGES)[number];

/** Fits a file, and a function in either language. */
export const SKILL_NAME = /^[a-z][a-z0-9_]{0,63}$/;
const PARAMETERS_LIMIT_BYTES = 64 * 1024;

/** Skills with a name of a module's own member, or of the word a language keeps for itself, could not be imported by it. */
export const skillNameSchema = z.string().regex(SKILL_NAME, 'must be a–z, 0–9 and _, a letter first, 64 at most');

export const newSkillSchema = z.strictObject({
  name: skillNameSchema,
  description: z.string().trim().min(1).max(4_000).describe('what it does, when to use it: what searches find it by'),
  language: z.enum(SKILL_LANGUAGES),
  code: z
    .string()
    .min(1)
    .refine((code) => Buffer.byteLength(code) <= CODE_LIMIT_BYTES, `must be ${CODE_LIMIT_BYTES} bytes at most`)
    .describe('a program; what it is given is `args`'),
  parameters: z
    .record(z.string(), z.unknown())
    .refine((schema) => schema.type === undefined || schema.type === 'object', 'must be a JSON Schema of type "object"')
    .refine((schema) => Buffer.byteLength(JSON.stringify(schema)) <= PARAMETERS_LIMIT_BYTES, 'must be 64 KiB of JSON at most')
    .optional()
    .describe('JSON Schema of `args`; any object where it is left out'),
});
export type NewSkill = z.infer<typeof newSkillSchema>;

export const skillSummarySchema = z.object({
  name: z.string(),
  version: z.int(),
  language: z.enum(SKILL_LANGUAGES),
  description: z.string(),
  origin: z.enum(['api', 'shipped']).describe('`shipped`: it came with the product'),
  createdAt: z.string(),
  createdBy: z.string().nullable(),
});
export type SkillSummary = z.infer<typeof skillSummarySchema>;

export const skillSchema = skillSummarySchema.extend({
  code: z.string(),
  parameters: z.record(z.string(), z.unknown()),
  versions: z.array(z.int()).describe('those that are kept, newest first'),
});
export type Skill = z.infer<typeof skillSchema>;
