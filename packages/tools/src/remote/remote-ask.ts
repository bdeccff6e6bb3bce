import type { Principal } from '@code-executor/contracts';
import type { ToolAdministration } from '../port.ts';

/** Asks the MCP proxy one method of the administration. */
export type Ask = <Answer>(method: keyof ToolAdministration, principal: Principal | null, ...given: unknown[]) => Promise<Answer>;
