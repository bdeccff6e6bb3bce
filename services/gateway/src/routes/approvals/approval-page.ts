import { readFileSync } from 'node:fs';
import type { GatewayApp } from '../../gateway-app.ts';
import { servePage } from '../serve-page.ts';

/** What it shows, its own script asks for with the key of whoever sits before it. */
const PAGE = readFileSync(new URL('./approval-page.html', import.meta.url), 'utf8');

export function registerApprovalPage(app: GatewayApp): void {
  servePage(app, { html: PAGE, under: '/approvals', prefix: 'apr' });
}
