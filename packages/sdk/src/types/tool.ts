export type PolicyAction = 'allow' | 'require_approval' | 'block';

export interface ToolSummary {
  readonly server: string;
  readonly name: string;
  readonly description: string;
  readonly action: PolicyAction;
}

/** The file that programs import it from, in either language. */
export interface ToolWrapper {
  readonly path: string;
  readonly source: string;
  readonly pythonPath: string;
  readonly pythonSource: string;
}

export interface ToolInfo {
  readonly server: string;
  readonly name: string;
  readonly title: string | null;
  readonly description: string;
  /** JSON Schema of the arguments. */
  readonly inputSchema?: unknown;
  readonly outputSchema?: unknown;
  readonly annotations?: unknown;
  readonly example: { readonly typescript: string; readonly python: string };
  readonly policy: { readonly action: PolicyAction; readonly reason: string };
  /** TypeScript. */
  readonly signature: string;
  readonly wrapper: ToolWrapper;
}

export interface SearchQuery {
  readonly q?: string;
  readonly server?: string;
  /** `name` groups names by server, `description` adds one line each, `full` lists definitions. */
  readonly detail?: 'name' | 'description' | 'full';
  readonly limit?: number;
  readonly offset?: number;
}

export interface SearchAnswer {
  /** `name`: {server: [tool]}; `description`: {server: {tool: one line}}; `full`: a list of definitions. */
  readonly items?: unknown;
  readonly total: number;
  /** o200k tokens of `items`. */
  readonly tokens: number;
  /** Against the full definitions of the whole catalog. */
  readonly tokensSaved: number;
  readonly nextOffset: number | null;
}

export interface InvokeAnswer {
  readonly tool: string;
  readonly result?: unknown;
  readonly durationMs: number;
  readonly meta?: ReplyMeta;
}

/** What an answer says about itself, as far as it does. */
export interface ReplyMeta {
  /** Of HTTP. */
  readonly status?: number;
  /** Addresses of the `Link` header by `rel`: `next`, `last`. */
  readonly links?: Readonly<Record<string, string>>;
  readonly rateLimit?: { readonly limit?: number; readonly remaining?: number; readonly resetAt?: string };
  readonly retryAfterSeconds?: number;
}
