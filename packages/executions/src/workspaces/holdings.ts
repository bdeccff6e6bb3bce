import type { HoldingTable } from './port.ts';

/** Of executions, keys apart: those are revoked and stay. */
export const EXECUTION_HOLDINGS: readonly HoldingTable[] = [
  { table: 'executions', counted: 'executions' },
  { table: 'idempotency_keys' },
  { table: 'sessions' },
  { table: 'fleet_sessions' },
  { table: 'mcp_sessions' },
  { table: 'oauth_grants' },
];
