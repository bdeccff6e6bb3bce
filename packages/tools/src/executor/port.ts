import type { ConnectionRecord, Handoff, HandoffValues, Principal } from '@code-executor/contracts';

/** The face towards people of what agents ask for through the server `executor`. */
export interface HandoffAdministration {
  /** @throws AppError HANDOFF_NOT_FOUND, FORBIDDEN */
  getHandoff(principal: Principal, handoffId: string): Promise<Handoff>;
  /** Makes the connection, once. @throws AppError HANDOFF_NOT_FOUND, HANDOFF_USED, INVALID_REQUEST, and like `addConnection`. */
  completeHandoff(principal: Principal, handoffId: string, values: HandoffValues): Promise<ConnectionRecord>;
}
