import type { AddressInfo } from 'node:net';
import { isIPv6 } from 'node:net';
import type { GatewayConfig } from '../../config.ts';
import type { GatewayApp } from '../../gateway-app.ts';

/** Where this gateway is reached by people: what the operator says, or else the address that it listens on. Without a slash at its end. */
export function publicUrlOf(app: GatewayApp, { publicUrl, host }: Pick<GatewayConfig, 'publicUrl' | 'host'>): string {
  if (publicUrl !== null) return publicUrl.replace(/\/+$/, '');
  const address = app.server.address();
  const { address: bound, port } = isAddressInfo(address) ? address : { address: host, port: 0 };
  const reached = bound === '0.0.0.0' || bound === '::' ? '127.0.0.1' : bound;
  return `http://${isIPv6(reached) ? `[${reached}]` : reached}:${port}`;
}

const isAddressInfo = (address: AddressInfo | string | null): address is AddressInfo => typeof address === 'object' && address !== null;
