import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import { type Address, type AddressKind, parseAddress } from './address-kind.ts';

/** What the operator has listed. A rule without a port is for all of them. */
export type AllowRule =
  | { readonly kind: 'host'; readonly host: string; readonly withSubdomains: boolean; readonly port: number | null }
  | { readonly kind: 'range'; readonly address: Address; readonly bits: number; readonly port: number | null };

/** Where a request is about to go: `host` without brackets and without a dot at its end, lower case. */
export interface Destination {
  readonly scheme: 'http:' | 'https:';
  readonly host: string;
  readonly port: number;
}

/** Behind these a name must not lead, listed or not: only the address itself opens them. */
export const NEVER_BY_NAME: ReadonlySet<AddressKind> = new Set(['link-local', 'metadata', 'multicast', 'unspecified']);

/**
 * Reads the list of EXECUTOR_OUTBOUND_ALLOW: `host`, `host:port`, `*.host` (what is below it), an IP address, `ip:port`, `[ipv6]:port`, a range
 * in CIDR notation; with commas between them. @throws Error naming the entry and what is wrong with it.
 */
export function parseAllowRules(text: string): readonly AllowRule[] {
  return text
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '')
    .map(parseRule);
}

export function permits(rule: AllowRule, destination: Destination, address: Address, kind: AddressKind): boolean {
  if (rule.port !== null && rule.port !== destination.port) return false;
  if (rule.kind === 'range') return rule.address.kind() === address.kind() && address.match(rule.address, rule.bits);
  return isNamed(rule, destination.host) && !NEVER_BY_NAME.has(kind);
}

function isNamed(rule: Extract<AllowRule, { kind: 'host' }>, host: string): boolean {
  return rule.withSubdomains ? host.endsWith(`.${rule.host}`) : host === rule.host;
}

function parseRule(entry: string): AllowRule {
  const refuse = (why: string): Error => new Error(`${JSON.stringify(entry.slice(0, 100))}: ${why}`);
  if (entry.includes('://')) throw refuse('give the host or host:port alone, without http://');
  if (entry.includes('/')) return parseRange(entry, refuse);
  if (isIP(entry) === 6) return single(parseAddress(entry), null);
  const { host, port } = splitPort(entry, refuse);
  if (isIP(host) !== 0) return single(parseAddress(host), port);
  const withSubdomains = host.startsWith('*.');
  const name = (withSubdomains ? host.slice(2) : host).toLowerCase().replace(/\.$/, '');
  const isName = URL.canParse(`http://${name}/`) && new URL(`http://${name}/`).hostname === name;
  if (!isName || name.includes('*')) {
    throw refuse('must be a host, host:port, *.host, an IP address or a range such as 10.0.0.0/8 (0.0.0.0/0,::/0 for everything)');
  }
  return { kind: 'host', host: name, withSubdomains, port };
}

function parseRange(entry: string, refuse: (why: string) => Error): AllowRule {
  const [base = '', bitsText = '', ...rest] = entry.split('/');
  const bits = Number(bitsText);
  if (isIP(base) === 0 || rest.length > 0 || !/^\d{1,3}$/.test(bitsText) || bits > (isIP(base) === 4 ? 32 : 128)) {
    throw refuse('must be a range such as 10.0.0.0/8 or fd00::/8');
  }
  const address = ipaddr.parse(base);
  return { kind: 'range', address, bits, port: null };
}

const single = (address: Address, port: number | null): AllowRule => ({
  kind: 'range',
  address,
  bits: address.kind() === 'ipv4' ? 32 : 128,
  port,
});

function splitPort(entry: string, refuse: (why: string) => Error): { readonly host: string; readonly port: number | null } {
  const bracketed = /^\[([^\]]*)\](?::(.*))?$/.exec(entry);
  const plain = /^([^:]*)(?::(.*))?$/.exec(entry);
  const [, host, portText] = bracketed ?? plain ?? [];
  if (host === undefined || host === '' || (bracketed !== null && isIP(host) !== 6))
    throw refuse('an IPv6 address with a port is written [address]:port');
  if (portText === undefined) return { host, port: null };
  const port = Number(portText);
  if (!/^\d{1,5}$/.test(portText) || port < 1 || port > 65_535) throw refuse('the port must be from 1 to 65535');
  return { host, port };
}
