import { isIP } from 'node:net';
import { type AddressKind, kindOfAddress, parseAddress } from './address-kind.ts';
import { type Destination, destinationOf } from './judge-destination.ts';

/** What an admin may open by spelling it out. */
const OPENED_BY_ADMIN: ReadonlySet<AddressKind> = new Set(['loopback', 'private']);

/**
 * The origin of an address that leads into the machine or its network and says so plainly: `localhost`, or an IP in its one usual
 * spelling, of a loopback or private network. Null: any other, among them names that only resolve to one.
 */
export function plainOrigin(url: string): (Destination & { readonly kind: AddressKind }) | null {
  const authority = /^https?:\/\/([^/?#\\]+)(?:[/?#]|$)/i.exec(url)?.[1];
  if (authority === undefined || !URL.canParse(url)) return null;
  const parsed = new URL(url);
  const isAsSpelled = [parsed.host, `${parsed.hostname}:${parsed.protocol === 'https:' ? 443 : 80}`].includes(authority.toLowerCase());
  if (!isAsSpelled || parsed.hostname.endsWith('.')) return null;
  const destination = destinationOf(parsed);
  if (destination.host === 'localhost') return { ...destination, kind: 'loopback' };
  if (isIP(destination.host) === 0) return null;
  const address = parseAddress(destination.host);
  // One address, one spelling: none that carries another one within.
  if (address.kind() !== (isIP(destination.host) === 4 ? 'ipv4' : 'ipv6')) return null;
  const kind = kindOfAddress(address);
  return OPENED_BY_ADMIN.has(kind) ? { ...destination, kind } : null;
}

/** What is said in the record of an integration whose address an admin key has spelled out; null where that opens nothing. */
export function originWarning(url: string): string | null {
  const origin = plainOrigin(url);
  if (origin === null) return null;
  const place = origin.kind === 'loopback' ? 'this machine itself' : 'a private network';
  const listed = new URL(url).host;
  return `${new URL(url).origin} is on ${place}; it is reached because an admin key spelled it out, by this integration alone. EXECUTOR_OUTBOUND_STRICT=true forbids that; EXECUTOR_OUTBOUND_ALLOW=${listed} lists it for good`;
}
