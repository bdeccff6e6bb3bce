import { sendForJson } from './http/json.ts';
import { createSend, type Request, type RequestOptions } from './http/send.ts';
import { type Approvals, approvalsOf } from './resources/approvals.ts';
import { type Audit, auditOf } from './resources/audit.ts';
import { type Connections, connectionsOf, type Providers, providersOf } from './resources/connections.ts';
import { type Executing, executingOf } from './resources/execute.ts';
import { type Executions, executionsOf } from './resources/executions.ts';
import { type Integrations, integrationsOf } from './resources/integrations.ts';
import { type Keys, keysOf } from './resources/keys.ts';
import { type Observation, observationOf } from './resources/observation.ts';
import { type Policies, policiesOf } from './resources/policies.ts';
import { type Sessions, sessionsOf } from './resources/sessions.ts';
import { type Skills, skillsOf } from './resources/skills.ts';
import { type Tools, toolsOf } from './resources/tools.ts';
import { type Workspaces, workspacesOf } from './resources/workspaces.ts';

const TIMEOUT_MS = 60_000;
const RETRIES = 2;

export interface ClientOptions {
  /** `http://127.0.0.1:9091` by default. */
  readonly url?: string;
  /** An API key or an access token. */
  readonly key?: string;
  /** Another way to send requests: a proxy, a test, the engine in this very process. */
  readonly fetch?: typeof globalThis.fetch;
  /** Of one method with its repetitions; 60,000 by default. Executions are waited for as long as they may take. */
  readonly timeoutMs?: number;
  /** How often a request that may be repeated is, when no answer came or the service asked for patience; 2 by default. */
  readonly retries?: number;
  readonly userAgent?: string;
}

export interface ExecutorClient extends Executing, Observation {
  readonly url: string;
  readonly executions: Executions;
  readonly sessions: Sessions;
  readonly tools: Tools;
  readonly skills: Skills;
  readonly integrations: Integrations;
  readonly connections: Connections;
  readonly providers: Providers;
  readonly policies: Policies;
  readonly approvals: Approvals;
  readonly audit: Audit;
  readonly keys: Keys;
  readonly workspaces: Workspaces;
  /** Any route by hand, with the client's key, errors and repetitions. */
  request<Answer = unknown>(
    method: Request['method'],
    path: string,
    more?: Pick<Request, 'query' | 'body' | 'headers'>,
    options?: RequestOptions,
  ): Promise<Answer>;
}

/** A client of one service. It holds no connection that would have to be closed. */
export function createClient(options: ClientOptions = {}): ExecutorClient {
  const url = baseUrl(options.url ?? 'http://127.0.0.1:9091');
  const send = createSend({
    url,
    key: options.key,
    fetch: options.fetch ?? globalThis.fetch,
    timeoutMs: options.timeoutMs ?? TIMEOUT_MS,
    retries: options.retries ?? RETRIES,
    userAgent: options.userAgent,
  });
  const executions = executionsOf(send);
  return {
    url,
    ...executingOf(send, executions),
    executions,
    sessions: sessionsOf(send),
    tools: toolsOf(send),
    skills: skillsOf(send),
    integrations: integrationsOf(send),
    connections: connectionsOf(send),
    providers: providersOf(send),
    policies: policiesOf(send),
    approvals: approvalsOf(send),
    audit: auditOf(send),
    keys: keysOf(send),
    workspaces: workspacesOf(send),
    ...observationOf(send),
    request: (method, path, more, requestOptions) => sendForJson(send, { method, path, ...more, options: requestOptions }),
  };
}

function baseUrl(text: string): string {
  const url = new URL(text);
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw new TypeError(`The service's address must begin with http:// or https://, not ${url.protocol}`);
  if (url.username !== '' || url.password !== '')
    throw new TypeError("The service's address must not carry credentials; give the key as `key`.");
  return `${url.origin}${url.pathname.replace(/\/+$/, '')}`;
}
