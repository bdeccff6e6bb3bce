import type { JsonSchema, ReplyMeta, ToolAnnotations } from '@code-executor/contracts';
import type { Credential, SecurityScheme } from '../connections/port.ts';
import type { OutboundHttp } from '../outbound/port.ts';

export type BuiltInKind = 'openapi' | 'graphql' | 'google-discovery';
/** Kinds whose tools come from a document, those of plugins too. (MCP servers are supervised connections: `sources/mcp`.) */
export type DocumentKind = BuiltInKind | (string & {});

export interface SourceDocument {
  readonly text: string;
  /** Where it was fetched from; null for an upload. */
  readonly url: string | null;
}

export interface ParseContext {
  /** Fetches what the document refers to (`$ref` to other files), through the outbound guard. Absolute URLs. */
  fetchText(url: string): Promise<string>;
  /** 0 to 1, as often as there is something to say. */
  onProgress(share: number): void;
}

/** One tool of a document. `binding` is all that a call needs, as JSON: it is stored, and the document is not read again. */
export interface SourceTool<Binding> {
  /** Unique within the source and the same after every refresh: dots separate segments (`issues.create`). */
  readonly name: string;
  readonly title?: string | undefined;
  readonly description: string;
  readonly inputSchema: JsonSchema;
  readonly outputSchema?: JsonSchema | undefined;
  /** `readOnlyHint` true: allowed by default; anything else needs approval by default. */
  readonly annotations: ToolAnnotations;
  readonly binding: Binding;
}

export interface ParsedSource<Binding> {
  readonly title: string;
  readonly version: string;
  /** Where calls go, where the document says it, absolute or relative to the document's own address; null: it does not. */
  readonly baseUrl: string | null;
  readonly securitySchemes: readonly SecurityScheme[];
  readonly tools: readonly SourceTool<Binding>[];
  /** Operations the document has; those that became no tool are named in `warnings`. */
  readonly operations: number;
  readonly warnings: readonly string[];
}

export interface FetchContext {
  readonly credential: Credential | null;
  readonly http: OutboundHttp;
  readonly timeoutMs: number;
  /** A document that is larger is refused. */
  readonly maximumBytes: number;
  readonly signal: AbortSignal;
}

export interface InvokeContext {
  /** Absolute; the integration's own where the operator gave one, else the document's. */
  readonly baseUrl: string;
  readonly credential: Credential | null;
  readonly http: OutboundHttp;
  /** Sent upstream where the protocol has a place for it. */
  readonly idempotencyKey: string;
  readonly timeoutMs: number;
  readonly traceparent?: string | undefined;
  readonly signal: AbortSignal;
}

/** What an upstream answered. `ok: false`: it answered with an error of its own (TOOL_FAILED); what is thrown is a fault of the way. */
export interface InvokeResult {
  readonly ok: boolean;
  readonly value: unknown;
  /** Why it failed, in a sentence of the upstream's. */
  readonly message?: string | undefined;
  readonly meta?: ReplyMeta | undefined;
}

/**
 * One kind of source. `detect` and `parse` run in a thread of their own, `invoke` and `probe` in the service; a kind holds no
 * state. Every kind passes the conformance suite `sources/source-kind.testsuite.ts`.
 */
export interface SourceKind<Binding = unknown> {
  readonly kind: DocumentKind;
  /** Why it is one of this kind, in a few words (`OpenAPI 3.1`); null: it is not. Must not throw for any text. */
  detect(document: SourceDocument): string | null;
  /**
   * Where the document of a URL is no plain file (GraphQL introspection): asks for it by requests that change nothing, in the service.
   * Null: what answers there is none of this kind. Without this a document is fetched by GET.
   * @throws what `OutboundHttp.request` throws.
   */
  fetchDocument?(url: string, context: FetchContext): Promise<SourceDocument | null>;
  /** @throws AppError INTEGRATION_INVALID saying where (line and column, or a JSON pointer) and why. */
  parse(document: SourceDocument, context: ParseContext): Promise<ParsedSource<Binding>>;
  /** @throws AppError INVALID_ARGUMENTS and what `OutboundHttp.request` throws. */
  invoke(binding: Binding, args: Readonly<Record<string, unknown>>, context: InvokeContext): Promise<InvokeResult>;
  /** Whether the upstream answers at all, by a request that changes nothing. Resolves with a sentence, null: it does. */
  probe(context: Omit<InvokeContext, 'idempotencyKey'>): Promise<string | null>;
}
