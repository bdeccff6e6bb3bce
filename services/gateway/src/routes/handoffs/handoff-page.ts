import { readFileSync } from 'node:fs';
import type { GatewayApp } from '../../gateway-app.ts';
import { servePage } from '../serve-page.ts';

const PAGE = readFileSync(new URL('./handoff-page.html', import.meta.url), 'utf8');

/** Where a person enters the secret that an agent asked for and never sees. */
export function registerHandoffPage(app: GatewayApp): void {
  servePage(app, { html: PAGE, under: '/connections/handoffs', prefix: 'hnd' });
}
