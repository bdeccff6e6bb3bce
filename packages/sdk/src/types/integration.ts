/** Plugins bring kinds of their own. */
export type IntegrationKind = 'mcp' | 'openapi' | 'graphql' | 'google-discovery' | (string & {});

export interface Integration {
  readonly slug: string;
  readonly kind: IntegrationKind;
  readonly origin: 'file' | 'api';
  readonly state: 'starting' | 'ready' | 'idle' | 'broken' | 'stopped';
  /** Why it is broken. */
  readonly reason: string | null;
  /** 0 to 1 while its document is read. */
  readonly progress: number | null;
  readonly toolCount: number;
  readonly trust: boolean | 'annotations';
  readonly warnings: readonly string[];
  readonly restarts: number;
  /** What its document says; null for an MCP server. */
  readonly document: {
    readonly title: string;
    readonly version: string;
    readonly format: string;
    readonly baseUrl: string | null;
    readonly operations: number;
    readonly securitySchemes: readonly { readonly name: string; readonly type: string }[];
    readonly readAt: string;
  } | null;
}

export interface RefreshedIntegration extends Integration {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly changed: readonly string[];
}

/** `url`, `document`, or `command` (an MCP server over stdio). */
export interface NewIntegration {
  readonly slug: string;
  /** Found out where it is left out. */
  readonly kind?: IntegrationKind;
  readonly url?: string;
  /** Its text, or the JSON itself. */
  readonly document?: string | Record<string, unknown>;
  readonly headers?: Record<string, string>;
  readonly command?: string;
  readonly args?: string[];
  readonly env?: Record<string, string>;
  readonly cwd?: string;
  /** Where calls go, in place of what the document says. */
  readonly baseUrl?: string;
  readonly trust?: boolean | 'annotations';
  readonly lazy?: boolean;
  /** Of one call. */
  readonly timeoutMs?: number;
  /** Tools, or patterns of their names, that are declared free of effects. */
  readonly readOnlyTools?: string[];
  readonly sandbox?: { readonly mounts?: string[]; readonly network?: boolean };
}

export interface IntegrationChange {
  readonly document?: string | Record<string, unknown>;
  readonly baseUrl?: string;
}

export interface DetectedIntegration {
  readonly kind: IntegrationKind;
  /** How it was recognized. */
  readonly why: string;
  readonly title: string;
  readonly version: string | null;
  readonly operations: number | null;
  readonly baseUrl: string | null;
  readonly warnings: readonly string[];
}
