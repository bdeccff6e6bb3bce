import type { Workspaces } from '@code-executor/executions';
import { z } from 'zod';
import type { GatewayApp } from '../../gateway-app.ts';
import { principalOf } from '../../plugins/authenticate.ts';
import { listOf } from '../../validation/fields.ts';
import { errorResponses, WITH_BODY } from '../../validation/route-responses.ts';

const workspaceSchema = z.object({
  id: z.string(),
  name: z.string(),
  createdAt: z.string(),
  home: z.boolean().describe("the operator's own: its admins make and remove the others"),
});
const withKeySchema = workspaceSchema.extend({
  keyId: z.string(),
  key: z.string().describe('an admin key of the workspace; it is answered this once and never again'),
});
const nameSchema = z
  .string()
  .min(1)
  .max(100)
  .regex(/^[^\p{Cc}\p{Cf}]*$/u)
  .describe('without control characters');
const named = z.strictObject({ name: nameSchema });
const params = z.strictObject({ id: z.string() });
const details = ({ body }: { readonly body: unknown }) => body;

/** Tenants of one service. An admin of the home workspace makes them; an admin of another sees its own and no more. */
export function registerWorkspaceRoutes(app: GatewayApp, workspaces: Workspaces): void {
  app.get(
    '/workspaces',
    {
      config: { access: 'admin' },
      schema: {
        summary: 'Every workspace that the key may see',
        description: 'An admin of the home workspace sees all, an admin of another one its own.',
        response: { 200: listOf(workspaceSchema), ...errorResponses([]) },
      },
    },
    async (request) => {
      const items = await workspaces.list(principalOf(request));
      return { items, total: items.length, nextCursor: null };
    },
  );

  app.post(
    '/workspaces',
    {
      config: { access: 'admin', audit: { type: 'workspace.create', details } },
      schema: {
        summary: 'Make a workspace, with its first admin key',
        description: 'For admins of the home workspace.',
        body: named,
        response: { 201: withKeySchema, ...errorResponses([...WITH_BODY, 'WORKSPACE_EXISTS', 'WORKSPACE_LIMIT']) },
      },
    },
    async (request, reply) => {
      const { adminKey, ...workspace } = await workspaces.create(principalOf(request), request.body.name);
      return reply
        .code(201)
        .header('location', `/workspaces/${workspace.id}`)
        .send({ ...workspace, keyId: adminKey.id, key: adminKey.key });
    },
  );

  app.get(
    '/workspaces/:id',
    {
      config: { access: 'admin' },
      schema: {
        summary: 'A workspace, and how much it holds',
        params,
        response: {
          200: workspaceSchema.extend({ holds: z.record(z.string(), z.int()).describe('what would go with it, by kind') }),
          ...errorResponses(['WORKSPACE_NOT_FOUND']),
        },
      },
    },
    async (request) => {
      const { holds, ...workspace } = await workspaces.get(principalOf(request), request.params.id);
      return { ...workspace, holds: { ...holds } };
    },
  );

  app.patch(
    '/workspaces/:id',
    {
      config: { access: 'admin', audit: { type: 'workspace.rename', details } },
      schema: {
        summary: 'Give a workspace another name',
        params,
        body: named,
        response: { 200: workspaceSchema, ...errorResponses([...WITH_BODY, 'WORKSPACE_NOT_FOUND', 'WORKSPACE_EXISTS']) },
      },
    },
    (request) => workspaces.rename(principalOf(request), request.params.id, request.body.name),
  );

  app.post(
    '/workspaces/:id/keys',
    {
      config: { access: 'admin', audit: { type: 'workspace.key', details } },
      schema: {
        summary: 'Make another admin key of a workspace',
        description: 'For admins of the home workspace: where those of the workspace have lost theirs.',
        params,
        body: named,
        response: { 201: withKeySchema, ...errorResponses([...WITH_BODY, 'WORKSPACE_NOT_FOUND']) },
      },
    },
    async (request, reply) => {
      const principal = principalOf(request);
      const { id: keyId, key } = await workspaces.createAdminKey(principal, request.params.id, request.body.name);
      const { holds: _, ...workspace } = await workspaces.get(principal, request.params.id);
      return reply
        .code(201)
        .header('location', `/keys/${keyId}`)
        .send({ ...workspace, keyId, key });
    },
  );

  app.delete(
    '/workspaces/:id',
    {
      config: { access: 'admin', audit: { type: 'workspace.remove', details: ({ query }) => query } },
      schema: {
        summary: 'Remove a workspace',
        description:
          'For admins of the home workspace. From the answer on none of its keys works; what it held is cancelled and deleted. The record of what was done in it stays for its retention.',
        params,
        querystring: z.strictObject({
          everything: z.enum(['true', 'false']).default('false').describe('also where it holds something'),
        }),
        response: { 204: z.undefined().describe('Removed'), ...errorResponses(['WORKSPACE_NOT_FOUND', 'WORKSPACE_NOT_EMPTY']) },
      },
    },
    async (request, reply) => {
      await workspaces.remove(principalOf(request), request.params.id, { everything: request.query.everything === 'true' });
      return reply.code(204).send();
    },
  );
}
