export const ROLES = ['admin', 'operator', 'agent'] as const;
export type Role = (typeof ROLES)[number];

/** Who asks. */
export interface Principal {
  readonly id: string;
  readonly workspaceId: string;
  readonly role: Role;
}

/** The tenant everything belongs to until another is made. */
export const DEFAULT_WORKSPACE_ID = 'wsp_default';
