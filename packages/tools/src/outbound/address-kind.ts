import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

/** What stands behind an address. Only `public` ones are open to everybody. */
export type AddressKind = 'public' | 'loopback' | 'private' | 'link-local' | 'metadata' | 'multicast' | 'unspecified' | 'reserved';

export type Address = ipaddr.IPv4 | ipaddr.IPv6;

/** Services that hand out a machine's own credentials, at AWS, Azure, Google, Oracle and Alibaba. The last words on a cloud's own network. */
const METADATA_ADDRESSES = new Set(
  [
    '169.254.169.254',
    '169.254.170.2',
    '169.254.170.23',
    '168.63.129.16',
    '192.0.0.192',
    '100.100.100.200',
    'fd00:ec2::254',
    'fd00:ec2::23',
    'fd20:ce::254',
  ].map((text) => ipaddr.parse(text).toNormalizedString()),
);

const KIND_OF_IPV4_RANGE: Readonly<Record<string, AddressKind>> = {
  unicast: 'public',
  loopback: 'loopback',
  private: 'private',
  carrierGradeNat: 'private',
  linkLocal: 'link-local',
  multicast: 'multicast',
  unspecified: 'unspecified',
};

/** The one global unicast space there is (RFC 4291), less what is set apart in it. */
const GLOBAL_UNICAST = ipaddr.IPv6.parseCIDR('2000::/3');
const SET_APART = ['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20'].map((text) => ipaddr.IPv6.parseCIDR(text));

const CARRYING_IPV4 = ['::ffff:0:0/96', '64:ff9b::/96'].map((text) => ipaddr.IPv6.parseCIDR(text));

/** @throws Error for what is no address in its usual spelling: four decimal numbers, or IPv6. */
export function parseAddress(text: string): Address {
  const bare = text.replace(/%.*$/, '');
  if (isIP(bare) === 0) throw new Error(`${JSON.stringify(text.slice(0, 100))} is no IP address`);
  // The parser of URLs writes it in hexadecimal: ipaddr.js takes `::1.2.3.4` for a mapped address.
  return isIP(bare) === 4 ? ipaddr.IPv4.parse(bare) : unwrapped(ipaddr.IPv6.parse(new URL(`http://[${bare}]`).hostname.slice(1, -1)));
}

export function kindOfAddress(address: Address): AddressKind {
  if (METADATA_ADDRESSES.has(address.toNormalizedString())) return 'metadata';
  if (address instanceof ipaddr.IPv4) return KIND_OF_IPV4_RANGE[address.range()] ?? 'reserved';
  return kindOfIpv6(address);
}

function kindOfIpv6(address: ipaddr.IPv6): AddressKind {
  if (address.match(GLOBAL_UNICAST)) return SET_APART.some((range) => address.match(range)) ? 'reserved' : 'public';
  switch (address.range()) {
    case 'loopback':
      return 'loopback';
    case 'uniqueLocal':
      return 'private';
    case 'linkLocal':
      return 'link-local';
    case 'multicast':
      return 'multicast';
    case 'unspecified':
      return 'unspecified';
    default:
      return 'reserved';
  }
}

/** An IPv4 address that is carried in an IPv6 one leads to the IPv4 address: mapped, or through NAT64. */
function unwrapped(address: ipaddr.IPv6): Address {
  return CARRYING_IPV4.some((range) => address.match(range)) ? new ipaddr.IPv4(address.toByteArray().slice(12)) : address;
}
