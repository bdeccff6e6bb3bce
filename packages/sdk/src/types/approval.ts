/** What a paused execution waits for. A human decides at `url`. */
export interface PendingApproval {
  readonly id: string;
  readonly tool: string;
  readonly arguments?: unknown;
  readonly expiresAt: string;
  readonly url: string;
}
