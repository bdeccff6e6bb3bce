import type { ActScope, Role } from '@code-executor/contracts';

/** Who may use a route: the least role, and what a key with scopes needs. A new route needs a line here, and a decision. */
export interface RouteRight {
  readonly role: Role | 'public';
  /** any: no scope is needed; null: closed to every key with scopes, or open to everybody. */
  readonly scope: ActScope | 'any' | null;
}

const right = (role: Role | 'public', scope: RouteRight['scope']): RouteRight => ({ role, scope });

/** By `METHOD /path/{parameter}` as `/openapi.json` spells it. */
export const ROUTE_RIGHTS: Readonly<Record<string, RouteRight>> = {
  'POST /execute': right('agent', 'execute'),
  'GET /executions': right('agent', 'executions:read'),
  'DELETE /executions': right('admin', 'executions:write'),
  'GET /executions/export': right('operator', 'executions:read'),
  'GET /executions/{id}': right('agent', 'executions:read'),
  'GET /executions/{id}/events': right('agent', 'executions:read'),
  'GET /executions/{id}/artifacts': right('agent', 'executions:read'),
  'GET /executions/{id}/artifacts/{*}': right('agent', 'executions:read'),
  'POST /executions/{id}/cancel': right('agent', 'execute'),
  'POST /executions/{id}/resume': right('agent', 'execute'),
  'GET /sessions': right('agent', 'executions:read'),
  'DELETE /sessions/{id}': right('agent', 'execute'),
  'GET /sessions/{id}/files': right('agent', 'executions:read'),
  'GET /sessions/{id}/files/{*}': right('agent', 'executions:read'),
  'PUT /sessions/{id}/files/{*}': right('agent', 'execute'),
  'GET /tools': right('agent', 'tools:read'),
  'GET /tools/search': right('agent', 'tools:read'),
  'GET /tools/info/{server}/{tool}': right('agent', 'tools:read'),
  'GET /tools/export/openapi': right('agent', 'tools:read'),
  'POST /tools/invoke/{server}/{tool}': right('agent', 'execute'),
  'GET /skills': right('agent', 'tools:read'),
  'GET /skills/{name}': right('agent', 'tools:read'),
  'POST /skills': right('operator', 'skills:write'),
  'DELETE /skills/{name}': right('operator', 'skills:write'),
  'GET /integrations': right('operator', 'integrations:read'),
  'POST /integrations': right('admin', 'integrations:write'),
  'POST /integrations/detect': right('admin', 'integrations:write'),
  'GET /integrations/{slug}': right('operator', 'integrations:read'),
  'DELETE /integrations/{slug}': right('admin', 'integrations:write'),
  'POST /integrations/{slug}/refresh': right('admin', 'integrations:write'),
  'GET /connections': right('operator', 'integrations:read'),
  'POST /connections': right('operator', 'integrations:write'),
  'GET /connections/{id}': right('operator', 'integrations:read'),
  'PATCH /connections/{id}': right('operator', 'integrations:write'),
  'DELETE /connections/{id}': right('operator', 'integrations:write'),
  'POST /connections/{id}/validate': right('operator', 'integrations:write'),
  'POST /connections/{id}/oauth/start': right('operator', 'integrations:write'),
  'GET /oauth/callback': right('public', null),
  'GET /providers': right('operator', 'integrations:read'),
  'POST /providers/sealed/rotate': right('admin', 'integrations:write'),
  'GET /policies': right('operator', 'policies:read'),
  'POST /policies': right('admin', 'policies:write'),
  'POST /policies/preview': right('agent', 'policies:read'),
  'PATCH /policies/{id}': right('admin', 'policies:write'),
  'DELETE /policies/{id}': right('admin', 'policies:write'),
  'GET /approvals': right('agent', 'approvals:read'),
  'GET /approvals/{id}': right('agent', 'approvals:read'),
  'POST /approvals/{id}': right('operator', 'approvals:decide'),
  'GET /audit': right('operator', 'audit:read'),
  'GET /audit/export': right('operator', 'audit:read'),
  'GET /audit/verify': right('operator', 'audit:read'),
  'GET /keys': right('admin', 'keys:read'),
  'POST /keys': right('admin', 'keys:write'),
  'DELETE /keys/{id}': right('admin', 'keys:write'),
  'GET /oauth/grants': right('operator', null),
  'DELETE /oauth/grants/{id}': right('operator', null),
  'GET /health': right('public', null),
  'GET /health/ready': right('public', null),
  'GET /metrics': right('operator', 'metrics:read'),
  'GET /whoami': right('agent', 'any'),
};
