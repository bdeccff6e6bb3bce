import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ConnectionAuth, type ConnectionRecord, DEFAULT_WORKSPACE_ID, type Principal } from '@code-executor/contracts';
import { AppError, createLogger, type Database, openDatabase } from '@code-executor/platform';
import { type OpenedConnections, openConnections, type SecretSettings } from '../connections/open-connections.ts';
import type { ConnectedIntegration, Credential, SecurityScheme } from '../connections/port.ts';
import { openSeal } from '../integrations/seal.ts';
import { toolMigrations } from '../migrations.ts';
import { parseAllowRules } from '../outbound/allow-rules.ts';
import { createOutboundHttp } from '../outbound/outbound-http.ts';
import type { GuardedHttp } from '../outbound/port.ts';
import { credentialedHttp } from '../sources/mcp/authorization.ts';

const ADMIN: Principal = { id: 'key_admin', workspaceId: DEFAULT_WORKSPACE_ID, role: 'admin' };
const NO_SECRETS: SecretSettings = { filesDirs: [], vault: null, cacheMs: 0 };

/** Connections over a database and the guard of their own, with one integration `api` at `url`. */
export interface TestConnections {
  readonly dir: string;
  readonly db: Database;
  readonly outbound: GuardedHttp;
  readonly logLines: string[];
  /** Another process on the same database and key. */
  open(options?: Partial<TestProcessOptions>): Promise<TestProcess>;
  close(): Promise<void>;
}

interface TestProcessOptions {
  readonly secrets: SecretSettings;
  readonly environment: Readonly<Record<string, string>>;
}

export interface TestProcess extends OpenedConnections {
  add(name: string, auth: ConnectionAuth, given?: { readonly principalId?: string; readonly default?: boolean }): Promise<ConnectionRecord>;
  credential(connection?: string | null, principalId?: string): Promise<Credential | null>;
}

export async function openTestConnections(
  url: string,
  given: { readonly databaseUrl?: string; readonly schemes?: readonly SecurityScheme[] } = {},
): Promise<TestConnections> {
  const dir = await mkdtemp(join(tmpdir(), 'code-executor-connections-'));
  const logLines: string[] = [];
  const note = (fields: object, message: string): void => void logLines.push(JSON.stringify({ ...fields, message }));
  const log = { info: note, warn: note };
  const databaseLog = createLogger({ level: 'silent', service: 'test' });
  const db = await openDatabase({ url: given.databaseUrl, directory: join(dir, 'database'), log: databaseLog });
  await db.migrate('tools', toolMigrations);
  const outbound = createOutboundHttp({ allow: parseAllowRules('127.0.0.1'), strict: false });
  const closables: (() => Promise<void>)[] = [];
  const connected: ConnectedIntegration = {
    slug: 'api',
    schemes: given.schemes ?? [],
    url,
    http: outbound,
    async probe(credential, http, signal) {
      const answer = await credentialedHttp(http, credential).request({ method: 'GET', url, timeoutMs: 5_000, signal });
      return answer.status < 400 ? null : Buffer.from(answer.body).toString('utf8');
    },
  };
  return {
    dir,
    db,
    outbound,
    logLines,
    async open({ secrets = NO_SECRETS, environment = {} } = {}) {
      const opened = await openConnections({
        db,
        workspaceId: DEFAULT_WORKSPACE_ID,
        seal: await openSeal(join(dir, 'seal.key')),
        log,
        secrets,
        environment,
        outbound,
        integrationOf(slug) {
          if (slug === 'api') return { slug, connected };
          throw new AppError('SERVER_NOT_FOUND', `There is no server ${slug}. Did you mean api?`);
        },
        committed: () => undefined,
      });
      closables.push(opened.close);
      return {
        ...opened,
        add: (name, auth, { principalId, default: isDefault } = {}) =>
          opened.administration.addConnection(ADMIN, {
            integration: 'api',
            name,
            owner: principalId === undefined ? 'workspace' : 'principal',
            principalId,
            auth,
            default: isDefault,
          }),
        credential: (connection = null, principalId = ADMIN.id) =>
          opened.connections.credentialFor(
            { integration: 'api', connection, principal: { id: principalId, workspaceId: DEFAULT_WORKSPACE_ID } },
            AbortSignal.timeout(30_000),
          ),
      };
    },
    async close() {
      for (const close of closables) await close();
      await outbound.close();
      await db.close();
      await rm(dir, { recursive: true, force: true });
    },
  };
}
