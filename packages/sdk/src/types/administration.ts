import type { PolicyAction } from './tool.ts';

export type Role = 'admin' | 'operator' | 'agent';

export interface Integration {
  readonly slug: string;
  readonly kind: 'mcp';
  readonly origin: 'file' | 'api';
  readonly state: 'starting' | 'ready' | 'idle' | 'broken' | 'stopped';
  /** Why it is broken. */
  readonly reason: string | null;
  readonly toolCount: number;
  readonly trust: boolean | 'annotations';
  readonly warnings: readonly string[];
  readonly restarts: number;
}

export interface RefreshedIntegration extends Integration {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly changed: readonly string[];
}

/** Either `url` or `command`. */
export interface NewIntegration {
  readonly slug: string;
  readonly kind: 'mcp';
  readonly url?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly command?: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly trust?: boolean | 'annotations';
  readonly lazy?: boolean;
  readonly sandbox?: { readonly mounts?: readonly string[]; readonly network?: boolean };
}

export interface Policy {
  readonly id: string;
  readonly pattern: string;
  readonly action: PolicyAction;
  readonly createdAt: string;
}

export interface NewPolicy {
  readonly pattern: string;
  readonly action: PolicyAction;
}

export interface Key {
  readonly id: string;
  readonly name: string;
  readonly role: Role;
  readonly createdAt: string;
  readonly expiresAt: string | null;
  readonly revokedAt: string | null;
}

export interface NewKey {
  readonly name: string;
  readonly role: Role;
  /** ISO 8601. */
  readonly expiresAt?: string;
}

export interface Health {
  readonly status: 'ok' | 'degraded' | 'stopping';
  readonly version: string;
  /** Seconds. */
  readonly uptime: number;
  readonly servers: Readonly<Record<string, string>>;
  readonly totalTools: number;
  readonly toolsByServer: Readonly<Record<string, number>>;
  readonly queue: { readonly queued: number; readonly running: number };
  readonly pool: { readonly hits: number; readonly misses: number; readonly warm: Readonly<Record<string, number>> };
}

export interface Readiness {
  readonly ready: boolean;
  readonly waitingFor: readonly string[];
}
