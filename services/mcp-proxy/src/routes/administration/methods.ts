import { SEARCH_DETAILS } from '@code-executor/contracts';
import type { ToolAdministration } from '@code-executor/tools';
import { z } from 'zod';
import { APPROVAL_METHODS } from './approval-methods.ts';
import { CONNECTION_METHODS } from './connection-methods.ts';
import { HANDOFF_METHODS } from './handoff-methods.ts';
import { INTEGRATION_METHODS } from './integration-methods.ts';
import { type AdministrationMethod, method } from './method.ts';
import { POLICY_METHODS } from './policy-methods.ts';
import { SKILL_METHODS } from './skill-methods.ts';

const slug = z.string().min(1).max(128);
const toolName = z.string().min(1).max(256);
const limit = z.int().min(1).max(10_000);

const pageSchema = z.strictObject({ server: slug.optional(), limit, cursor: z.string().max(256).optional() });
const searchSchema = z.strictObject({
  q: z.string().max(1_000),
  server: slug.optional(),
  detail: z.enum(SEARCH_DETAILS),
  limit,
  offset: z.int().min(0).max(1_000_000),
});

/** Everything that may be asked from outside; what is not here does not exist there, whatever the object has. */
export const ADMINISTRATION_METHODS: ReadonlyMap<string, AdministrationMethod> = new Map([
  ['listTools', method(z.tuple([pageSchema]), (tools, principal, [page]) => tools.listTools(principal, page))],
  ['search', method(z.tuple([searchSchema]), (tools, principal, [query]) => tools.search(principal, query))],
  ['toolInfo', method(z.tuple([slug, toolName]), (tools, principal, [server, tool]) => tools.toolInfo(principal, server, tool))],
  [
    'invoke',
    method(
      z.tuple([slug, toolName, z.unknown(), z.strictObject({ wholeAnswer: z.boolean() }).optional()]),
      (tools, principal, [server, tool, args, options], signal) => tools.invoke(principal, server, tool, args, signal, options),
    ),
  ],
  ...INTEGRATION_METHODS,
  ...APPROVAL_METHODS,
  ...CONNECTION_METHODS,
  ...HANDOFF_METHODS,
  ...POLICY_METHODS,
  ...SKILL_METHODS,
  // Shown to everybody by /health.
  ['summary', { call: (tools, caller) => tools.summary(caller) }],
] satisfies readonly (readonly [keyof ToolAdministration, AdministrationMethod])[]);
