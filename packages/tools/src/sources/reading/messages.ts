import type { ErrorCode } from '@code-executor/contracts';
import type { SecurityScheme } from '../../connections/port.ts';
import type { DocumentKind } from '../port.ts';

/** What the reading thread is started with. The document's bytes become the thread's own. */
export interface ReadingTask {
  /** The module that exports `DOCUMENT_KINDS`. */
  readonly kindsModule: string;
  /** See `SourceKinds`. */
  readonly plugins: readonly string[] | null;
  /** UTF-8. */
  readonly bytes: Uint8Array;
  readonly url: string | null;
  /** Null: the one that says it is of its kind. */
  readonly kind: DocumentKind | null;
  readonly slug: string;
  /** False: only what the document is, and how many operations it has. */
  readonly wantsTools: boolean;
}

/** One tool as it is stored. */
export interface ToolLine {
  /** ToolDefinition as JSON. */
  readonly definition: string;
  readonly digest: string;
  readonly binding: string;
}

/** What a document says beside its tools. */
export interface DocumentSummary {
  readonly kind: DocumentKind;
  /** In a few words: `OpenAPI 3.1`. */
  readonly why: string;
  readonly title: string;
  readonly version: string;
  readonly baseUrl: string | null;
  readonly securitySchemes: readonly SecurityScheme[];
  readonly operations: number;
  readonly toolCount: number;
  readonly warnings: readonly string[];
  /** SHA-256 of its bytes. */
  readonly digest: string;
}

export type ThreadMessage =
  | { readonly type: 'progress'; readonly share: number }
  | { readonly type: 'fetch'; readonly id: number; readonly url: string }
  /** The next ones come when they are asked for, so that the service is never given much at once. */
  | { readonly type: 'tools'; readonly tools: readonly ToolLine[] }
  | { readonly type: 'done'; readonly summary: DocumentSummary }
  | { readonly type: 'failed'; readonly code: ErrorCode; readonly message: string; readonly details: unknown };

export type ServiceMessage =
  | { readonly type: 'next' }
  | { readonly type: 'fetched'; readonly id: number; readonly text: string }
  | { readonly type: 'not-fetched'; readonly id: number; readonly code: ErrorCode; readonly message: string };
