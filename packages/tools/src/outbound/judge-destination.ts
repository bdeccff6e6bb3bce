import { isIP } from 'node:net';
import { AppError } from '@code-executor/platform';
import { type Address, type AddressKind, kindOfAddress, parseAddress } from './address-kind.ts';
import { type AllowRule, type Destination, NEVER_BY_NAME, permits } from './allow-rules.ts';

export type { Destination } from './allow-rules.ts';

/** The one origin that is open to one integration besides what is listed. */
export interface GrantedOrigin extends Destination {
  readonly spelledOutBy: 'operator' | 'admin';
}

/** Ports on which something else than HTTP is spoken, of the Fetch standard: a request to one is an attack on what listens there. */
const BAD_PORTS = new Set([
  0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104, 109, 110, 111, 113, 115, 117,
  119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636,
  989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
]);

const PLACES: Readonly<Record<Exclude<AddressKind, 'public'>, string>> = {
  loopback: 'an address of this machine itself',
  private: 'a private address',
  'link-local': 'a link-local address',
  metadata: 'the address of a cloud metadata service',
  multicast: 'a multicast address',
  unspecified: 'the unspecified address',
  reserved: 'a reserved address',
};

/** Of an address that the WHATWG parser has read: every odd spelling of an IP is the usual one by then. */
export function destinationOf(url: URL): Destination {
  return {
    scheme: url.protocol === 'https:' ? 'https:' : 'http:',
    host: url.hostname.replace(/^\[|\]$/g, '').replace(/\.$/, ''),
    port: Number(url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : url.port),
  };
}

/** What can be said before a name is resolved. @throws AppError OUTBOUND_REFUSED. */
export function judgeUrl(url: URL): Destination {
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw refusal(`${url.protocol}// addresses are not reached; only http:// and https:// are`, { scheme: url.protocol });
  }
  if (url.username !== '' || url.password !== '') {
    throw refusal(`The address of ${url.host} carries a user name or password; put them into a connection instead`, { host: url.host });
  }
  return destinationOf(url);
}

/**
 * What a destination leads to, all of it: a name with a public and a private address is refused.
 * @throws AppError OUTBOUND_REFUSED naming host, address, the reason and the setting that lists it.
 */
export function judgeAddresses(
  destination: Destination,
  addresses: readonly string[],
  rules: readonly AllowRule[],
  grant: GrantedOrigin | null,
): void {
  for (const text of addresses) {
    const address = parseAddress(text);
    const kind = kindOfAddress(address);
    if (grant !== null && isSameOrigin(grant, destination) && opens(grant, kind)) continue;
    const opening = rules.filter((rule) => permits(rule, destination, address, kind));
    if (kind !== 'public' && opening.length === 0) throw refusedAddress(destination, address, kind);
    if (BAD_PORTS.has(destination.port) && !opening.some((rule) => rule.port !== null)) throw refusedPort(destination);
  }
}

export const isSameOrigin = (one: Destination, other: Destination): boolean =>
  one.scheme === other.scheme && one.host === other.host && one.port === other.port;

/** A grant opens what its own words say: an address opens itself, `localhost` loopback, and another name of the operator's no more than a listed one. */
function opens({ host, spelledOutBy }: GrantedOrigin, kind: AddressKind): boolean {
  if (isIP(host) !== 0) return true;
  return host === 'localhost' ? kind === 'loopback' : spelledOutBy === 'operator' && !NEVER_BY_NAME.has(kind);
}

function refusedPort(destination: Destination): AppError {
  const { host, port } = destination;
  const setting = `EXECUTOR_OUTBOUND_ALLOW=${listed(destination)}`;
  const message = `Port ${port} of ${host} is not one that HTTP is spoken on, and is not reached unless the operator lists it: ${setting}`;
  return refusal(message, { host, port, reason: 'port', setting });
}

function refusedAddress(destination: Destination, address: Address, kind: Exclude<AddressKind, 'public'>): AppError {
  const { host, port } = destination;
  const shown = address.toString();
  const isLiteral = isIP(host) !== 0;
  const setting = `EXECUTOR_OUTBOUND_ALLOW=${NEVER_BY_NAME.has(kind) ? shown : listed(destination)}`;
  const place = PLACES[kind];
  const leads = isLiteral && host === shown ? `${host} is ${place}` : `${host} leads to ${shown}, ${place}`;
  return refusal(`${leads}, and is not reached unless the operator lists it: ${setting}`, {
    host,
    port,
    address: shown,
    reason: kind,
    setting,
  });
}

const listed = ({ host, port }: Destination): string => (isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`);

const refusal = (message: string, details: Readonly<Record<string, unknown>>): AppError =>
  new AppError('OUTBOUND_REFUSED', message, { details });
