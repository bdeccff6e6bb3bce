import { idPattern, newPolicySchema, policyChangeSchema, policyPreviewSchema } from '@code-executor/contracts';
import { z } from 'zod';
import { method } from './method.ts';

const policyId = z.union([z.string().regex(idPattern('pol')), z.string().regex(/^source:[\w-]{1,64}$/)]);

export const POLICY_METHODS = [
  [
    'listPolicies',
    method(z.tuple([z.strictObject({ derived: z.boolean().optional() })]), (tools, principal, [query]) =>
      tools.listPolicies(principal, query),
    ),
  ],
  ['addPolicy', method(z.tuple([newPolicySchema]), (tools, principal, [policy]) => tools.addPolicy(principal, policy))],
  [
    'changePolicy',
    method(z.tuple([policyId, policyChangeSchema]), (tools, principal, [id, change]) => tools.changePolicy(principal, id, change)),
  ],
  ['removePolicy', method(z.tuple([policyId]), (tools, principal, [id]) => tools.removePolicy(principal, id))],
  ['previewPolicy', method(z.tuple([policyPreviewSchema]), (tools, principal, [question]) => tools.previewPolicy(principal, question))],
] as const;
