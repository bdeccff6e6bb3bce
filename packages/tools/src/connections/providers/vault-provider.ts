import { readFile } from 'node:fs/promises';
import { AppError, isAppError, messageOf } from '@code-executor/platform';
import type { GuardedHttp, OutboundHttp } from '../../outbound/port.ts';
import type { ServerLog } from '../../sources/mcp/mcp-server.ts';
import { printable } from '../../sources/mcp/stderr-log.ts';
import type { ValueProvider } from './value-providers.ts';

/** How we log in at Vault. */
export type VaultLogin =
  | { readonly method: 'token'; readonly token: string }
  | { readonly method: 'approle'; readonly roleId: string; readonly secretId: string; readonly mount: string }
  | { readonly method: 'kubernetes'; readonly role: string; readonly tokenFile: string; readonly mount: string };

export interface VaultSettings {
  /** `https://vault.example.com:8200`; listed for the outbound guard by being here. */
  readonly address: string;
  /** Of Vault Enterprise. */
  readonly namespace: string | null;
  readonly login: VaultLogin;
}

interface Session {
  readonly token: string;
  /** Milliseconds since the epoch; null: it does not end. */
  readonly endsAt: number | null;
  readonly lifetimeMs: number;
  readonly isRenewable: boolean;
}

interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

const REQUEST_TIMEOUT_MS = 10_000;
const ANSWER_LIMIT_BYTES = 1024 * 1024;
/** The field of a secret where the key names none. */
const DEFAULT_FIELD = 'value';
/** setTimeout takes no more; a later look is early enough. */
const LONGEST_TIMER_MS = 24 * 3_600_000;

/**
 * Values of HashiCorp Vault's key-value engines, versions 1 and 2, over its HTTP API. A key is `mount/path#field`. Our own token
 * is renewed at two thirds of its life, and where that is refused a new login is made.
 */
export function createVaultProvider(
  settings: VaultSettings | null,
  { outbound, log }: { readonly outbound: GuardedHttp; readonly log: ServerLog },
): ValueProvider {
  if (settings === null)
    return {
      kind: 'vault',
      configured: false,
      description: 'HashiCorp Vault: name its address in EXECUTOR_VAULT_ADDR, and how to log in (docs/connections.md).',
      read: async () => {
        throw new AppError('CONNECTION_BROKEN', 'EXECUTOR_VAULT_ADDR is not set');
      },
    };
  const { address, namespace, login } = settings;
  const http: OutboundHttp = outbound.withOrigin(address, 'operator');
  const life = new AbortController();
  let session: Promise<Session> | null = null;
  let timer: NodeJS.Timeout | undefined;
  /** By mount: the version of its engine, which does not change while it is there. */
  const versions = new Map<string, { readonly mount: string; readonly version: 1 | 2 }>();

  async function send(method: string, path: string, token: string | null, body?: object): Promise<Answer> {
    try {
      const answer = await http.request({
        method,
        url: `${address.replace(/\/+$/, '')}/v1/${path}`,
        headers: {
          'x-vault-request': 'true',
          ...(token === null ? {} : { 'x-vault-token': token }),
          ...(namespace === null ? {} : { 'x-vault-namespace': namespace }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        body: body === undefined ? undefined : JSON.stringify(body),
        timeoutMs: REQUEST_TIMEOUT_MS,
        maximumBytes: ANSWER_LIMIT_BYTES,
        redirects: 0,
        signal: life.signal,
      });
      return { status: answer.status, body: parsed(answer.body) };
    } catch (error) {
      throw new AppError(
        'CONNECTION_UNAVAILABLE',
        `Vault at ${address} does not answer: ${isAppError(error) ? error.message : messageOf(error)}`,
        {
          cause: error,
        },
      );
    }
  }

  async function logIn(): Promise<Session> {
    if (login.method === 'token') {
      const { status, body } = await send('GET', 'auth/token/lookup-self', login.token);
      // A token may be allowed to read secrets and not to look at itself.
      if (status !== 200) return { token: login.token, endsAt: null, lifetimeMs: 0, isRenewable: false };
      const data = record(body.data);
      return sessionOf(login.token, data.ttl, data.renewable);
    }
    const body =
      login.method === 'approle'
        ? { role_id: login.roleId, secret_id: login.secretId }
        : { role: login.role, jwt: (await readServiceAccount(login.tokenFile)).trim() };
    const answer = await send('POST', `auth/${login.mount}/login`, null, body);
    const auth = record(answer.body.auth);
    if (answer.status !== 200 || typeof auth.client_token !== 'string') throw refusal('log in', answer);
    return sessionOf(auth.client_token, auth.lease_duration, auth.renewable);
  }

  function sessionOf(token: string, seconds: unknown, renewable: unknown): Session {
    const lifetimeMs = typeof seconds === 'number' && seconds > 0 ? seconds * 1_000 : 0;
    return { token, endsAt: lifetimeMs === 0 ? null : Date.now() + lifetimeMs, lifetimeMs, isRenewable: renewable === true };
  }

  /** Plans the renewal, too: a token that nobody uses for a day must not end meanwhile. */
  function adopt(opened: Session): Session {
    clearTimeout(timer);
    if (opened.isRenewable && opened.endsAt !== null && !life.signal.aborted) {
      timer = setTimeout(() => void renew(opened), Math.min(opened.lifetimeMs * (2 / 3), LONGEST_TIMER_MS));
      timer.unref();
    }
    return opened;
  }

  async function renew(old: Session): Promise<void> {
    try {
      const answer = await send('POST', 'auth/token/renew-self', old.token, {});
      const auth = record(answer.body.auth);
      if (answer.status !== 200) throw refusal('renew its token', answer);
      session = Promise.resolve(
        adopt(sessionOf(typeof auth.client_token === 'string' ? auth.client_token : old.token, auth.lease_duration, auth.renewable)),
      );
    } catch (error) {
      if (life.signal.aborted) return;
      log.warn({ reason: messageOf(error) }, "Vault did not renew this service's token");
      if (old.endsAt !== null && old.endsAt - Date.now() > 5_000) {
        timer = setTimeout(() => void renew(old), Math.min(old.lifetimeMs / 10, 60_000));
        timer.unref();
      } else session = null;
    }
  }

  async function open(): Promise<Session> {
    const present = session;
    if (present !== null) {
      const opened = await present;
      if (opened.endsAt === null || opened.endsAt > Date.now() + 1_000) return opened;
    }
    if (session === present) {
      const opening = logIn().then(adopt);
      session = opening;
      opening.catch(() => {
        if (session === opening) session = null;
      });
    }
    return session ?? logIn();
  }

  /** A token that was revoked is told by a 403 like a missing right: one new login tells them apart. */
  async function ask(path: string): Promise<Answer> {
    const first = await open();
    const answer = await send('GET', path, first.token);
    if (answer.status !== 403 || login.method === 'token') return answer;
    session = null;
    return send('GET', path, (await open()).token);
  }

  async function engineOf(path: string): Promise<{ readonly mount: string; readonly version: 1 | 2 }> {
    for (const known of versions.values()) if (path.startsWith(`${known.mount}/`)) return known;
    const { status, body } = await ask(`sys/internal/ui/mounts/${encodePath(path)}`);
    const data = record(body.data);
    const told = typeof data.path === 'string' ? data.path.replace(/\/+$/, '') : '';
    // Where that may not be asked, the first part is taken for a mount of the present version.
    const found =
      status === 200 && told !== ''
        ? { mount: told, version: record(data.options).version === '2' ? (2 as const) : (1 as const) }
        : { mount: path.split('/', 1)[0] ?? '', version: 2 as const };
    if (status === 200) versions.set(found.mount, found);
    return found;
  }

  return {
    kind: 'vault',
    configured: true,
    description: `Vault at ${address} (${login.method}); the key is mount/path#field, such as secret/github#token; without #field it is "${DEFAULT_FIELD}".`,
    async read(key) {
      const shown = printable(key, 200);
      const hashAt = key.lastIndexOf('#');
      const path = hashAt === -1 ? key : key.slice(0, hashAt);
      const field = hashAt === -1 ? DEFAULT_FIELD : key.slice(hashAt + 1);
      if (!/^[^/#?%\s]+(\/[^/#?%]+)+$/.test(path) || path.split('/').some((part) => part === '.' || part === '..') || field === '')
        throw new AppError(
          'CONNECTION_BROKEN',
          `${JSON.stringify(shown)} is no key of Vault: write mount/path#field, such as secret/github#token`,
        );
      const { mount, version } = await engineOf(path);
      const rest = path.slice(mount.length + 1);
      const answer = await ask(version === 2 ? `${encodePath(mount)}/data/${encodePath(rest)}` : encodePath(path));
      if (answer.status === 404) throw new AppError('CONNECTION_BROKEN', `Vault has nothing at ${shown} (or it was deleted)`);
      if (answer.status !== 200) throw refusal(`read ${shown}`, answer);
      const data = version === 2 ? record(record(answer.body.data).data) : record(answer.body.data);
      const value = Object.hasOwn(data, field) ? data[field] : undefined;
      if (typeof value !== 'string' || value === '')
        throw new AppError('CONNECTION_BROKEN', `The secret at ${shown} has no text in the field ${JSON.stringify(printable(field, 80))}`);
      const leaseSeconds = answer.body.lease_duration;
      return { value, maximumAgeMs: typeof leaseSeconds === 'number' && leaseSeconds > 0 ? leaseSeconds * 1_000 : undefined };
    },
    async close() {
      clearTimeout(timer);
      life.abort(new AppError('SHUTTING_DOWN', 'the service is stopping'));
    },
  };

  function refusal(act: string, { status, body }: Answer): AppError {
    const said = Array.isArray(body.errors) ? body.errors.filter((text) => typeof text === 'string').join('; ') : '';
    const why = `Vault at ${address} does not let this service ${act} (HTTP ${status}${said === '' ? '' : `: ${printable(said, 200)}`})`;
    if (status >= 500 || status === 429 || status === 473) return new AppError('CONNECTION_UNAVAILABLE', why);
    return new AppError(
      'CONNECTION_BROKEN',
      status >= 300 && status < 400 ? `${why}: it redirects; name the active node in EXECUTOR_VAULT_ADDR` : why,
    );
  }
}

async function readServiceAccount(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new AppError('CONNECTION_BROKEN', `The service account's token ${file} cannot be read: ${messageOf(error)}`, { cause: error });
  }
}

const encodePath = (path: string): string => path.split('/').map(encodeURIComponent).join('/');
const record = (value: unknown): Record<string, unknown> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};

function parsed(bytes: Uint8Array): Record<string, unknown> {
  try {
    return record(JSON.parse(Buffer.from(bytes).toString('utf8')));
  } catch (error) {
    if (error instanceof SyntaxError) return {};
    throw error;
  }
}
