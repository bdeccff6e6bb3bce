import { lookup } from 'node:dns/promises';
import { isIP, type LookupFunction, type Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { AppError, messageOf } from '@code-executor/platform';
import { Agent, buildConnector } from 'undici';
import { parseAddress } from './address-kind.ts';
import type { AllowRule } from './allow-rules.ts';
import { destinationOf, type GrantedOrigin, judgeAddresses } from './judge-destination.ts';

/** Every address of a name. Rejects where it has none. */
export type Resolve = (hostname: string) => Promise<readonly { readonly address: string; readonly family: number }[]>;

const CONNECT_TIMEOUT_MS = 10_000;
const HEADER_LIMIT_BYTES = 64 * 1024;
/** Below what servers wait before they hang up: a request into a closing connection is lost. */
const KEEP_ALIVE_MS = 4_000;

export const resolveBySystem: Resolve = (hostname) => lookup(hostname, { all: true, verbatim: true });

/**
 * Connections that were judged by these rules, and nobody else's: each is made to addresses that were resolved once, judged, and
 * handed to the socket, so that no second answer of the resolver counts.
 */
export function createGuardedAgent(deps: {
  readonly rules: readonly AllowRule[];
  readonly grant: GrantedOrigin | null;
  readonly resolve: Resolve;
}): Agent {
  const connector: buildConnector.connector = (options, callback) => {
    connect(options, deps).then(
      (socket) => callback(null, socket),
      (error: unknown) => callback(error instanceof Error ? error : new Error(messageOf(error)), null),
    );
  };
  return new Agent({
    connect: connector,
    maxHeaderSize: HEADER_LIMIT_BYTES,
    keepAliveTimeout: KEEP_ALIVE_MS,
    keepAliveMaxTimeout: KEEP_ALIVE_MS,
    // Each request has its own bound.
    headersTimeout: 0,
    bodyTimeout: 0,
    allowH2: false,
    pipelining: 1,
  });
}

async function connect(
  options: buildConnector.Options,
  { rules, grant, resolve }: Parameters<typeof createGuardedAgent>[0],
): Promise<Socket | TLSSocket> {
  const host = isIP(options.hostname) === 6 ? `[${options.hostname}]` : options.hostname;
  const destination = destinationOf(new URL(`${options.protocol}//${host}${options.port ? `:${options.port}` : ''}`));
  const addresses = await addressesOf(destination.host, resolve);
  judgeAddresses(
    destination,
    addresses.map(({ address }) => address),
    rules,
    grant,
  );
  try {
    const socket = await open(options, answerWith(addresses));
    if (addresses.some(({ address }) => isSame(address, socket.remoteAddress))) return socket;
    socket.destroy();
    throw new Error('the connection led to another address than the one that was judged');
  } catch (error) {
    throw unavailable(destination.host, error);
  }
}

async function addressesOf(host: string, resolve: Resolve): Promise<readonly { readonly address: string; readonly family: number }[]> {
  if (isIP(host) !== 0) return [{ address: host, family: isIP(host) }];
  // No resolver has a say in what these names mean (RFC 6761).
  if (host.endsWith('.localhost')) return [{ address: '127.0.0.1', family: 4 }];
  let timer: NodeJS.Timeout | undefined;
  try {
    const tooLate = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error('the resolver did not answer')), CONNECT_TIMEOUT_MS);
    });
    const addresses = await Promise.race([resolve(host), tooLate]);
    if (addresses.length === 0) throw new Error('it has no address');
    return addresses;
  } catch (error) {
    throw unavailable(host, error);
  } finally {
    clearTimeout(timer);
  }
}

/** The lookup of one connection: what was judged, whatever is asked. */
function answerWith(addresses: readonly { readonly address: string; readonly family: number }[]): LookupFunction {
  return (_hostname, options, callback) => {
    if (options.all) callback(null, [...addresses]);
    else callback(null, addresses[0]?.address ?? '', addresses[0]?.family);
  };
}

function open(options: buildConnector.Options, lookup: LookupFunction): Promise<Socket | TLSSocket> {
  const connector = buildConnector({ lookup, timeout: CONNECT_TIMEOUT_MS, allowH2: false, maxCachedSessions: 0 });
  return new Promise((resolve, reject) => {
    connector(options, (error, socket) => {
      if (error !== null) reject(error);
      else resolve(socket);
    });
  });
}

function isSame(judged: string, connected: string | undefined): boolean {
  return connected !== undefined && parseAddress(judged).toNormalizedString() === parseAddress(connected).toNormalizedString();
}

function unavailable(host: string, error: unknown): AppError {
  const causes = error instanceof AggregateError ? error.errors.map(messageOf) : [messageOf(error)];
  const reason = [...new Set(causes)].join('; ').slice(0, 300);
  return new AppError('UPSTREAM_UNAVAILABLE', `${host} could not be reached: ${reason}`, { cause: error });
}
