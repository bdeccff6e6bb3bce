import { googleDiscoveryKind } from './google-discovery/google-discovery-kind.ts';
import { graphqlKind } from './graphql/graphql-kind.ts';
import { openApiKind } from './openapi/openapi-kind.ts';
import type { DocumentKind, SourceKind } from './port.ts';

/** Every kind that is read from a document, the more particular ones first: the first that knows a document takes it. */
const ALL = [googleDiscoveryKind, openApiKind, graphqlKind] as readonly SourceKind[];

export const DOCUMENT_KINDS: ReadonlyMap<DocumentKind, SourceKind> = new Map(ALL.map((kind) => [kind.kind, kind]));
