import { newSkillSchema, skillNameSchema } from '@code-executor/contracts';
import { z } from 'zod';
import { method } from './method.ts';

const pageSchema = z.strictObject({ limit: z.int().min(1).max(1_000), cursor: z.string().max(64).optional() });

export const SKILL_METHODS = [
  ['listSkills', method(z.tuple([pageSchema]), (tools, principal, [page]) => tools.listSkills(principal, page))],
  [
    'getSkill',
    method(z.tuple([skillNameSchema, z.int().min(1).optional()]), (tools, principal, [name, version]) =>
      tools.getSkill(principal, name, version),
    ),
  ],
  ['saveSkill', method(z.tuple([newSkillSchema]), (tools, principal, [skill]) => tools.saveSkill(principal, skill))],
  ['removeSkill', method(z.tuple([skillNameSchema]), (tools, principal, [name]) => tools.removeSkill(principal, name))],
] as const;
