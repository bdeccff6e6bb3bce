import { type ManageDocumentDependencies, manageDocument, unreadServer } from '../sources/documents/managed-document.ts';
import { type ManageMcpDependencies, manageMcpServer } from '../sources/mcp/mcp-servers.ts';
import type { ManagedServer } from '../sources/source.ts';
import type { StoredIntegration } from './integration-store.ts';
import { documentDefinition, parseStoredMcp, refusedCommand } from './parse-integration.ts';

/** The server of an integration that was added through the API, not started yet. Null: it is switched off. */
export function manageStored(
  integration: StoredIntegration,
  deps: { readonly mcp: ManageMcpDependencies; readonly documents: ManageDocumentDependencies; readonly mayRunCommands: boolean },
): ManagedServer | null {
  const { definition, source } = integration;
  if (definition.kind === 'mcp') {
    if (definition.command !== undefined && !deps.mayRunCommands) return manageMcpServer({ broken: refusedCommand(definition) }, deps.mcp);
    return manageMcpServer(parseStoredMcp(definition), deps.mcp);
  }
  const trust = definition.trust ?? 'annotations';
  const { kinds } = deps.documents;
  if (source === null || !kinds.has(source.kind))
    return unreadServer({ slug: definition.slug, kind: definition.kind, trust }, source === null ? [] : [...kinds.keys()]);
  return manageDocument(documentDefinition(integration), trust, source, deps.documents);
}
