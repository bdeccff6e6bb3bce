import type { PolicyAction } from './tool.ts';

/** `limit` decides nothing: it only counts. */
export type PolicyRuleAction = PolicyAction | 'limit';

export interface PolicyLimits {
  readonly perMinute?: number;
  readonly perExecution?: number;
  readonly perDay?: number;
}

interface PolicyTest {
  readonly equals?: unknown;
  /** `*` stands for any run of characters, `?` for one. */
  readonly glob?: string;
  readonly range?: { readonly min?: number; readonly max?: number };
  readonly oneOf?: unknown[];
}

/** A condition on one argument: exactly one of the tests, or `not` around one. */
export interface PolicyCondition extends PolicyTest {
  /** Such as `$.repo`, `labels[0]` or `$.to[*].email`. */
  readonly path: string;
  readonly not?: PolicyTest;
  readonly ifMissing?: 'match' | 'no-match';
}

export interface NewPolicy {
  /** Such as `*`, `filesystem.*` or `github@work.*`. */
  readonly pattern: string;
  readonly action: PolicyRuleAction;
  /** All must hold. */
  readonly when?: PolicyCondition[] | PolicyCondition;
  /** Ids of keys, `role:agent`, `name:ci`. */
  readonly principal?: string[] | string;
  readonly limits?: PolicyLimits;
  readonly note?: string;
}

/** What is absent stays, null takes away. */
export interface PolicyChange {
  readonly pattern?: string;
  readonly action?: PolicyRuleAction;
  readonly when?: PolicyCondition[] | PolicyCondition | null;
  readonly principal?: string[] | string | null;
  readonly limits?: PolicyLimits | null;
  readonly note?: string | null;
}

export interface Policy {
  /** `source:SLUG` for what follows from a server itself. */
  readonly id: string;
  readonly origin: 'operator' | 'source';
  readonly pattern: string;
  readonly action: PolicyRuleAction;
  readonly when: readonly PolicyCondition[] | null;
  readonly principal: readonly string[] | null;
  readonly limits: PolicyLimits | null;
  readonly note: string | null;
  readonly createdAt: string | null;
  readonly updatedAt: string | null;
  readonly createdBy: string | null;
}

export interface PolicyQuestion {
  /** `server.tool`, or `server@connection.tool`. */
  readonly tool: string;
  readonly arguments?: Record<string, unknown>;
  readonly principal?: string;
  readonly connection?: string;
}

export interface PolicyPreview {
  readonly tool: string;
  readonly action: PolicyAction;
  readonly reason: string;
  readonly decidedBy: Policy | null;
  readonly limits: readonly { readonly policyId: string; readonly limits: PolicyLimits }[];
  readonly considered: readonly {
    readonly policyId: string;
    readonly pattern: string;
    readonly action: PolicyRuleAction;
    readonly scope: 'workspace' | 'principal' | 'source';
    readonly applies: boolean;
    readonly decides: boolean;
    readonly why: string;
  }[];
  readonly omitted: number;
}
