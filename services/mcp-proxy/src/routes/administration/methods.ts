import { idPattern, newIntegrationShape, POLICY_ACTIONS, type Principal, ROLES, SEARCH_DETAILS } from '@code-executor/contracts';
import { AppError } from '@code-executor/platform';
import type { LocalToolAdministration, NewIntegration } from '@code-executor/tools';
import { z } from 'zod';

type Tools = LocalToolAdministration;

/** A method as it is called from outside: with arguments that fit, or not at all. */
export interface AdministrationMethod {
  /** @throws ZodError where the arguments do not fit. */
  call(tools: Tools, caller: Principal | null, given: unknown, signal: AbortSignal): unknown;
}

export const principalSchema = z.strictObject({
  id: z.string().min(1).max(64),
  workspaceId: z.string().min(1).max(64),
  role: z.enum(ROLES),
});

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
const integrationSchema = z.strictObject(newIntegrationShape) satisfies z.ZodType<NewIntegration>;
const policySchema = z.strictObject({ pattern: z.string().min(1).max(256), action: z.enum(POLICY_ACTIONS) });

/** Everything that may be asked from outside; what is not here does not exist there, whatever the object has. */
export const ADMINISTRATION_METHODS: ReadonlyMap<string, AdministrationMethod> = new Map([
  ['listTools', method(z.tuple([pageSchema]), (tools, principal, [page]) => tools.listTools(principal, page))],
  ['search', method(z.tuple([searchSchema]), (tools, principal, [query]) => tools.search(principal, query))],
  ['toolInfo', method(z.tuple([slug, toolName]), (tools, principal, [server, tool]) => tools.toolInfo(principal, server, tool))],
  [
    'invoke',
    method(z.tuple([slug, toolName, z.unknown()]), (tools, principal, [server, tool, args], signal) =>
      tools.invoke(principal, server, tool, args, signal),
    ),
  ],
  ['listIntegrations', method(z.tuple([]), (tools, principal) => tools.listIntegrations(principal))],
  ['getIntegration', method(z.tuple([slug]), (tools, principal, [name]) => tools.getIntegration(principal, name))],
  ['addIntegration', method(z.tuple([integrationSchema]), (tools, principal, [definition]) => tools.addIntegration(principal, definition))],
  ['removeIntegration', method(z.tuple([slug]), (tools, principal, [name]) => tools.removeIntegration(principal, name))],
  ['refreshIntegration', method(z.tuple([slug]), (tools, principal, [name]) => tools.refreshIntegration(principal, name))],
  ['listPolicies', method(z.tuple([]), (tools, principal) => tools.listPolicies(principal))],
  ['addPolicy', method(z.tuple([policySchema]), (tools, principal, [policy]) => tools.addPolicy(principal, policy))],
  [
    'removePolicy',
    method(z.tuple([z.string().regex(idPattern('pol'))]), (tools, principal, [policyId]) => tools.removePolicy(principal, policyId)),
  ],
  // Shown to everybody by /health.
  ['summary', { call: (tools) => tools.summary() }],
] satisfies readonly (readonly [keyof Tools, AdministrationMethod])[]);

function method<Arguments extends z.ZodType>(
  schema: Arguments,
  act: (tools: Tools, principal: Principal, given: z.output<Arguments>, signal: AbortSignal) => unknown,
): AdministrationMethod {
  return {
    call(tools, principal, given, signal) {
      if (principal === null) throw new AppError('INVALID_REQUEST', 'principal: say for whom');
      return act(tools, principal, schema.parse(given), signal);
    },
  };
}
