import type { DocumentKind, SourceKind } from './port.ts';

/** Every kind that is read from a document, the more particular ones first: the first that knows a document takes it. */
export const DOCUMENT_KINDS: ReadonlyMap<DocumentKind, SourceKind> = new Map(([] as SourceKind[]).map((kind) => [kind.kind, kind]));
