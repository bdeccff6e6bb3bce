import type { HoldingTable } from '@code-executor/executions';

/** Rows of the tool domain that go with their workspace. What was done stays in the record for its retention. */
export const TOOL_HOLDINGS: readonly HoldingTable[] = [
  { table: 'integrations', counted: 'integrations' },
  { table: 'connections', counted: 'connections' },
  { table: 'policies', counted: 'policies' },
  { table: 'skills', counted: 'skills', countedWhere: "origin <> 'shipped' and not removed" },
  { table: 'approvals' },
  { table: 'catalog_tools' },
  { table: 'connection_grants' },
  { table: 'authorization_attempts' },
  { table: 'handoffs' },
  { table: 'policy_counters' },
];
