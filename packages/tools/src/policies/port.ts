import type { NewPolicy, PolicyChange, PolicyPreview, PolicyPreviewQuestion, PolicyRecord, Principal } from '@code-executor/contracts';

/** What the gateway asks about policies. */
export interface PolicyAdministration {
  /** The operator's rules in the order they were made; with `derived` those that follow from the servers behind them. */
  listPolicies(principal: Principal, query?: { readonly derived?: boolean | undefined }): Promise<readonly PolicyRecord[]>;
  addPolicy(principal: Principal, policy: NewPolicy): Promise<PolicyRecord>;
  changePolicy(principal: Principal, policyId: string, change: PolicyChange): Promise<PolicyRecord>;
  removePolicy(principal: Principal, policyId: string): Promise<void>;
  /** What would be decided on a call, and why. An agent asks for itself only. */
  previewPolicy(principal: Principal, question: PolicyPreviewQuestion): Promise<PolicyPreview>;
}
