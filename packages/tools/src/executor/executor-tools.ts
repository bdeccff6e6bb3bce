import {
  type ActScope,
  integrationKindSchema,
  newHandoffSchema,
  newIntegrationShape,
  newPolicySchema,
  type PolicyRecord,
  type Principal,
  policyPreviewSchema,
  type Role,
} from '@code-executor/contracts';
import { AppError } from '@code-executor/platform';
import { z } from 'zod';
import { assertServer } from '../calls/may-call.ts';
import type { ConnectionAdministration } from '../connections/port.ts';
import type { LocalIntegrationAdministration } from '../integrations/integration-administration.ts';
import { parsePattern } from '../policies/pattern.ts';
import type { PolicyAdministration } from '../policies/port.ts';
import type { Servers } from '../sources/servers.ts';
import { isBuiltIn } from '../sources/source.ts';
import { EXECUTOR_SERVER } from './executor-server.ts';
import type { Handoffs } from './handoffs.ts';

export interface Administrators {
  readonly integrations: LocalIntegrationAdministration;
  readonly connections: Pick<ConnectionAdministration, 'listConnections'>;
  readonly policies: PolicyAdministration;
  readonly handoffs: Pick<Handoffs, 'create'>;
  readonly servers: Pick<Servers, 'all'>;
  /** Where people find a handoff. */
  urlOf(handoffId: string): string;
}

/** Who acts, and who asked for it. */
export interface Actors {
  readonly actor: Principal;
  readonly asker: Principal;
}

export interface ExecutorTool {
  readonly name: string;
  readonly description: string;
  readonly isReadOnly: boolean;
  /** The least role of who acts, as over HTTP. */
  readonly role: Role;
  readonly scope: ActScope;
  /** For the record of acts. */
  readonly act: `${string}.${string}`;
  readonly inputSchema: Record<string, unknown>;
  /** The arguments that a person may be shown in part. */
  readonly long: readonly string[];
  /** What it is done to. */
  target(args: unknown): string | null;
  /** @throws ZodError for arguments that do not fit; AppError */
  run(args: unknown, actors: Actors): Promise<unknown>;
}

const slug = newIntegrationShape.slug;
/** Short enough to be read whole by whoever approves. */
const url = z.url({ protocol: /^https?$/ }).max(1_000);
const nothing = z.strictObject({});

/** No command among them: what runs on the host is not an agent's to say. */
const addSchema = z.strictObject({
  slug,
  url: url.optional().describe('of an API description, a GraphQL endpoint or an MCP server'),
  document: z.string().min(1).max(900_000).optional().describe('the description itself as text, in place of url; takes baseUrl'),
  kind: integrationKindSchema.optional().describe('openapi, graphql, google-discovery, mcp, …; found out where it is left out'),
  baseUrl: url.optional().describe('where calls go, in place of what the description says'),
});

/** The tools of administration. What is asked of people is asked with all that they have to know in the arguments. */
export function executorTools(deps: Administrators): readonly ExecutorTool[] {
  const { integrations, connections, policies, handoffs } = deps;
  return [
    tool('integrations.list', 'The integrations there are, with their state', nothing, READ_INTEGRATIONS, async (_args, { asker }) => {
      const own = [...deps.servers.all().values()].filter(({ kind }) => !isBuiltIn(kind)).map(({ slug }) => slug);
      const all = integrations.listIntegrations(asker).filter((record) => own.includes(record.slug));
      return all.map(({ slug, kind, state, reason, toolCount }) => ({ slug, kind, state, reason, toolCount }));
    }),
    tool(
      'integrations.detect',
      'What kind of API lies at an address. A person is asked first: it sends a request there',
      z.strictObject({ url }),
      { ...WRITE_INTEGRATIONS, act: 'integration.detect', target: (args) => args.url },
      async (args, { actor }) => await integrations.detectIntegration(actor, args.url),
    ),
    tool(
      'integrations.add',
      'Add an API by the address or text of its description, or an MCP server by its URL. A person is asked first. Its tools are there in the next execution',
      addSchema,
      { ...WRITE_INTEGRATIONS, act: 'integration.create', target: (args) => args.slug, long: ['document'] },
      async ({ document, ...fields }, { actor }) => {
        assertServer(actor, fields.slug);
        if ((fields.url === undefined) === (document === undefined))
          throw new AppError('INVALID_REQUEST', 'An integration has exactly one of "url" and "document"');
        if (document !== undefined && fields.baseUrl === undefined)
          throw new AppError('INVALID_REQUEST', 'With "document" say "baseUrl", so that whoever approves reads where calls go');
        const bytes = document === undefined ? undefined : new TextEncoder().encode(document);
        return await integrations.addIntegration(actor, { ...fields, document: bytes });
      },
    ),
    tool(
      'integrations.refresh',
      'List the tools of an integration again, or read its description anew. A person is asked first',
      z.strictObject({ slug }),
      { ...WRITE_INTEGRATIONS, act: 'integration.refresh', target: (args) => args.slug },
      async (args, { actor }) => {
        assertServer(actor, args.slug);
        return await integrations.refreshIntegration(actor, args.slug);
      },
    ),
    tool(
      'integrations.remove',
      'Remove an integration with its connections. A person is asked first',
      z.strictObject({ slug }),
      { ...WRITE_INTEGRATIONS, act: 'integration.remove', target: (args) => args.slug },
      async (args, { actor }) => {
        assertServer(actor, args.slug);
        await integrations.removeIntegration(actor, args.slug);
        return { removed: args.slug };
      },
    ),
    tool(
      'connections.list',
      'The connections that calls can go by: names and states, no secrets',
      z.strictObject({ integration: z.string().min(1).max(64).optional() }),
      READ_INTEGRATIONS,
      async ({ integration }, { asker }) => {
        // What is the workspace's or its own, as an operator sees it; of each only what a call has to know.
        const { items } = await connections.listConnections({ ...asker, role: 'operator' }, { integration, limit: 1_000 });
        return items.map((record) => ({
          integration: record.integration,
          name: record.name,
          address: record.address,
          owner: record.owner,
          default: record.default,
          status: record.status,
        }));
      },
    ),
    tool(
      'connections.createHandoff',
      'Make a page where a person enters a secret for an integration, or goes to the consent page of its provider (auth {"type": "oauth2"}): answers {url, expiresAt}; hand the url to them. A person is asked first. You never see the secret',
      newHandoffSchema,
      { ...WRITE_INTEGRATIONS, role: 'operator', act: 'handoff.create', target: (args) => args.integration },
      async (wanted, { actor, asker }) => {
        assertServer(actor, wanted.integration);
        const { id, expiresAt } = await handoffs.create(asker, actor, wanted);
        return { url: deps.urlOf(id), expiresAt };
      },
    ),
    tool('policies.list', 'The rules that calls are decided by', nothing, READ_POLICIES, async (_args, { asker }) => {
      const all = await policies.listPolicies(asker, { derived: true });
      return all.map(({ id, pattern, action, when, limits }) => ({ id, pattern, action, when, limits }));
    }),
    tool(
      'policies.preview',
      'What would be decided on a call of yours, and why',
      policyPreviewSchema.omit({ principal: true }),
      READ_POLICIES,
      async (question, { asker }) => await policies.previewPolicy({ ...asker, role: 'agent' }, question),
    ),
    tool(
      'policies.add',
      'Add a rule. A person is asked first, and reads the whole rule',
      newPolicySchema,
      { ...WRITE_POLICIES, act: 'policy.create', target: (args) => args.pattern },
      async (policy, { actor }) => {
        refuseOwn(policy.pattern);
        return await policies.addPolicy(actor, policy);
      },
    ),
    tool(
      'policies.remove',
      'Remove a rule; say its pattern and action too, so that the person who is asked reads what is removed',
      z.strictObject({ id: z.string().max(64), pattern: z.string().max(256), action: z.string().max(32) }),
      { ...WRITE_POLICIES, act: 'policy.remove', target: (args) => args.id },
      async ({ id, pattern, action }, { actor }) => {
        const rule = (await policies.listPolicies(actor)).find((record: PolicyRecord) => record.id === id);
        if (rule === undefined || rule.pattern !== pattern || rule.action !== action)
          throw new AppError(
            'POLICY_NOT_FOUND',
            'There is no rule with this id, pattern and action; executor.policies.list shows those there are',
          );
        refuseOwn(rule.pattern);
        await policies.removePolicy(actor, id);
        return { removed: id };
      },
    ),
  ];
}

type Rights<Args> = Pick<ExecutorTool, 'isReadOnly' | 'role' | 'scope' | 'act'> & {
  readonly target?: (args: Args) => string | null;
  readonly long?: readonly string[];
};

const READ_INTEGRATIONS = { isReadOnly: true, role: 'agent', scope: 'integrations:read', act: 'integration.read' } as const;
const READ_POLICIES = { isReadOnly: true, role: 'agent', scope: 'policies:read', act: 'policy.read' } as const;
const WRITE_INTEGRATIONS = { isReadOnly: false, role: 'admin', scope: 'integrations:write' } as const;
const WRITE_POLICIES = { isReadOnly: false, role: 'admin', scope: 'policies:write' } as const;

function tool<Schema extends z.ZodType>(
  name: string,
  description: string,
  schema: Schema,
  rights: Rights<z.output<Schema>>,
  run: (args: z.output<Schema>, actors: Actors) => Promise<unknown>,
): ExecutorTool {
  const { target, long = [], ...right } = rights;
  const { $schema: _, ...inputSchema } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
  return {
    name,
    description,
    ...right,
    inputSchema,
    long,
    target: (args) => {
      const parsed = schema.safeParse(args);
      return parsed.success ? (target?.(parsed.data) ?? null) : null;
    },
    run: async (args, actors) => await run(schema.parse(args), actors),
  };
}

/** What guards these tools is changed by people themselves, so that no row of yeses leads to a tool that asks nobody. */
function refuseOwn(pattern: string): void {
  if (parsePattern(pattern).segments[0] === EXECUTOR_SERVER)
    throw new AppError('FORBIDDEN', `Rules for ${EXECUTOR_SERVER}.* are added and removed by people, with POST and DELETE /policies`);
}
