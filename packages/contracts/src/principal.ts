import { z } from 'zod';

export const ROLES = ['admin', 'operator', 'agent'] as const;
export type Role = (typeof ROLES)[number];

/** Who asks. */
export interface Principal {
  readonly id: string;
  readonly workspaceId: string;
  readonly role: Role;
  /** Of the key. */
  readonly name?: string | undefined;
  /** What narrows the role; null or absent: nothing does. */
  readonly scopes?: readonly string[] | null | undefined;
}

/** As the services of a fleet tell each other. */
export const principalSchema = z.strictObject({
  id: z.string().min(1).max(128),
  workspaceId: z.string().min(1).max(64),
  role: z.enum(ROLES),
  name: z.string().max(256).optional(),
  scopes: z.array(z.string().max(128)).max(64).nullable().optional(),
});

/** The tenant everything belongs to until another is made. */
export const DEFAULT_WORKSPACE_ID = 'wsp_default';
