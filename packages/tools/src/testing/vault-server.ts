import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A small server that speaks the part of Vault's HTTP API that is used: KV 1 at `old/`, KV 2 at `secret/`, tokens, AppRole, Kubernetes. */
export interface TestVault {
  readonly url: string;
  /** `mount/path` → fields. */
  readonly secrets: Map<string, Record<string, unknown>>;
  /** `METHOD path`, as they came. */
  readonly requests: string[];
  /** Seconds that tokens of logins live. */
  tokenSeconds: number;
  sealed: boolean;
  revoke(): void;
  close(): Promise<void>;
}

export const VAULT_TOKEN = 'hvs.static-token-77af10';
export const VAULT_APPROLE = { roleId: 'role-1', secretId: 'secret-id-90cc21' } as const;

export async function startVault(): Promise<TestVault> {
  const secrets = new Map<string, Record<string, unknown>>();
  const requests: string[] = [];
  const tokens = new Map<string, number>([[VAULT_TOKEN, Number.POSITIVE_INFINITY]]);
  let logins = 0;
  const vault = { tokenSeconds: 3_600, sealed: false };

  const isKnown = (token: string): boolean => (tokens.get(token) ?? 0) > Date.now();
  const give = (): object => {
    logins += 1;
    const token = `hvs.login-${logins}`;
    tokens.set(token, Date.now() + vault.tokenSeconds * 1_000);
    return { auth: { client_token: token, lease_duration: vault.tokenSeconds, renewable: true } };
  };

  function answer(method: string, path: string, body: Record<string, unknown>, token: string): [number, object] {
    if (vault.sealed) return [503, { errors: ['Vault is sealed'] }];
    if (path === 'auth/approle/login')
      return body.role_id === VAULT_APPROLE.roleId && body.secret_id === VAULT_APPROLE.secretId
        ? [200, give()]
        : [400, { errors: ['invalid role or secret ID'] }];
    if (!isKnown(token)) return [403, { errors: ['permission denied'] }];
    if (path === 'auth/token/lookup-self') return [200, { data: { ttl: token === VAULT_TOKEN ? 0 : vault.tokenSeconds, renewable: true } }];
    if (path === 'auth/token/renew-self' && method === 'POST') {
      tokens.set(token, Date.now() + vault.tokenSeconds * 1_000);
      return [200, { auth: { client_token: token, lease_duration: vault.tokenSeconds, renewable: true } }];
    }
    const mount = /^sys\/internal\/ui\/mounts\/(\w+)\//.exec(path)?.[1];
    if (mount === 'secret') return [200, { data: { path: 'secret/', options: { version: '2' } } }];
    if (mount === 'old') return [200, { data: { path: 'old/', options: null } }];
    const second = /^secret\/data\/(.+)$/.exec(path)?.[1];
    const found = secrets.get(second === undefined ? path : `secret/${second}`);
    if (found === undefined) return [404, { errors: [] }];
    return [200, second === undefined ? { data: found, lease_duration: 2_764_800 } : { data: { data: found, metadata: { version: 1 } } }];
  }

  const server = createServer((request, response) => {
    void bodyOf(request).then((body) => {
      const path = decodeURIComponent((request.url ?? '').replace(/^\/v1\//, ''));
      requests.push(`${request.method} ${path}`);
      const [status, value] = answer(request.method ?? '', path, body, String(request.headers['x-vault-token'] ?? ''));
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return Object.assign(vault, {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    secrets,
    requests,
    revoke: () => tokens.clear(),
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  });
}

async function bodyOf(request: IncomingMessage): Promise<Record<string, unknown>> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString('utf8');
  return text === '' ? {} : (JSON.parse(text) as Record<string, unknown>);
}
