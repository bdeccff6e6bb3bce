import type { ConnectionCheck } from '@code-executor/contracts';
import { isAppError, messageOf } from '@code-executor/platform';
import type { OutboundHttp } from '../outbound/port.ts';
import { createScrub } from '../sources/mcp/secrets.ts';
import { printable } from '../sources/mcp/stderr-log.ts';
import type { StoredConnection } from './connection-store.ts';
import type { ConnectionDomain } from './connections.ts';
import type { ConnectedIntegration, Credential } from './port.ts';

const VALIDATION_TIMEOUT_MS = 20_000;

/** Sends one request that changes nothing with the credential, and says what became of it. What the upstream says is scrubbed. */
export async function validateConnection(
  connection: StoredConnection,
  { connections, connected }: { readonly connections: ConnectionDomain; readonly connected: ConnectedIntegration },
  signal: AbortSignal,
): Promise<ConnectionCheck> {
  const bounded = AbortSignal.any([signal, AbortSignal.timeout(VALIDATION_TIMEOUT_MS)]);
  let credential: Credential;
  try {
    credential = await connections.open(connection, bounded);
  } catch (error) {
    if (!isAppError(error)) throw error;
    return { outcome: 'broken', status: null, message: printable(error.message, 1_000) };
  }
  const scrub = createScrub(credential.secrets);
  const seen = watchStatus(connected.http);
  const judged = (said: string | null): ConnectionCheck => {
    const status = seen.status();
    const message = said === null ? null : printable(scrub(said), 500);
    if (status === 401 || status === 403) {
      connections.rejected(credential);
      return { outcome: 'refused', status, message: message ?? `The upstream answered ${status}` };
    }
    if (status === null && said !== null) return { outcome: 'unreachable', status: null, message };
    return { outcome: 'ok', status, message };
  };
  try {
    return judged(await connected.probe(credential, seen.http, bounded));
  } catch (error) {
    signal.throwIfAborted();
    if (seen.status() !== null) return judged(messageOf(error));
    const said = bounded.aborted ? `no answer within ${VALIDATION_TIMEOUT_MS / 1_000} s` : messageOf(error);
    return { outcome: 'unreachable', status: null, message: printable(scrub(said), 500) };
  }
}

/** The same guard, which remembers the worst refusal, or else the last status, that passed through it. */
function watchStatus(http: OutboundHttp): { readonly http: OutboundHttp; status(): number | null } {
  let last: number | null = null;
  const note = (status: number): void => {
    if (last !== 401 && last !== 403) last = status;
  };
  return {
    status: () => last,
    http: {
      async request(request) {
        const response = await http.request(request);
        note(response.status);
        return response;
      },
      async fetch(input, init) {
        const response = await http.fetch(input, init);
        note(response.status);
        return response;
      },
    },
  };
}
