import { SKILLS_SERVER } from '@code-executor/contracts';
import { AppError, messageOf } from '@code-executor/platform';
import { EXECUTOR_SERVER } from '../executor/executor-server.ts';
import { parsePattern } from '../policies/pattern.ts';
import type { DocumentDefinition } from '../sources/documents/document-source.ts';
import { type BrokenEntry, type McpServerEntry, type ParsedEntry, parseServerEntry } from '../sources/mcp/server-entry.ts';
import { SLUG_PATTERN } from '../sources/mcp/servers-file.ts';
import type { StoredIntegration } from './integration-store.ts';
import type { NewIntegration } from './port.ts';

const DEFAULT_CALL_TIMEOUT_MS = 60_000;
/** Of an MCP server alone. */
const PROCESS_FIELDS = ['args', 'env', 'cwd', 'sandbox'] as const;
const MCP_FIELDS = ['command', ...PROCESS_FIELDS, 'headers', 'lazy'] as const;

/**
 * Whether the fields go together, as far as that can be told before its kind is known.
 * @throws AppError INTEGRATION_INVALID naming the field.
 */
export function checkIntegration(integration: NewIntegration): void {
  const { slug, kind, url, command, document, baseUrl } = integration;
  if (!SLUG_PATTERN.test(slug)) throw invalid('slug: up to 64 letters, digits, _ and -, a letter or digit first');
  if (slug === SKILLS_SERVER) throw invalid('slug: "skills" is where saved skills stand; take another');
  if (slug === EXECUTOR_SERVER) throw invalid('slug: "executor" is where the tools of administration stand; take another');
  const given = [url, command, document].filter((field) => field !== undefined);
  if (given.length !== 1) {
    throw invalid(
      kind === 'mcp'
        ? 'An integration of kind "mcp" has either "url" or "command" (with "args" and "env")'
        : 'An integration has exactly one of "url", "document" and "command"',
    );
  }
  for (const field of PROCESS_FIELDS)
    if (command === undefined && integration[field] !== undefined) throw invalid(`${field}: goes with "command" alone`);
  if (command !== undefined) {
    if (integration.headers !== undefined) throw invalid('headers: goes with "url", not with "command"');
    if (kind !== undefined && kind !== 'mcp')
      throw invalid(`command: an integration of kind ${JSON.stringify(kind)} has "url" or "document"`);
  }
  if (kind === 'mcp' && document !== undefined) throw invalid('document: an MCP server has "url" or "command"');
  if (kind === 'mcp' && baseUrl !== undefined) throw invalid('baseUrl: an MCP server has "url" alone');
  // An address without a kind is judged where it is asked what it is.
  const isOfDocument = kind !== undefined && kind !== 'mcp';
  if (isOfDocument) checkDocumentFields(integration);
  if (baseUrl !== undefined) checkBaseUrl(baseUrl);
  if (isOfDocument && url !== undefined && URL.canParse(url) && new URL(url).username !== '')
    throw invalid('url: a user name or password does not belong into an address; add a connection with POST /connections');
}

/** @throws AppError INTEGRATION_INVALID where a field does not go with a kind that is read from a document. */
export function checkDocumentFields(integration: NewIntegration): void {
  for (const field of MCP_FIELDS) {
    if (integration[field] === undefined) continue;
    const advice = field === 'headers' ? '; credentials are added with POST /connections' : '';
    throw invalid(`${field}: goes with an MCP server alone${advice}`);
  }
  for (const [index, name] of (integration.readOnlyTools ?? []).entries()) {
    try {
      parsePattern(`${integration.slug}.${name}`);
    } catch (error) {
      throw invalid(`readOnlyTools.${index}: ${messageOf(error)}`);
    }
  }
}

export function checkBaseUrl(baseUrl: string): void {
  const url = URL.canParse(baseUrl) ? new URL(baseUrl) : null;
  if (url === null || !/^https?:$/.test(url.protocol)) throw invalid('baseUrl: must be an http:// or https:// address');
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '')
    throw invalid('baseUrl: an address without user name, query and fragment; credentials are added with POST /connections');
}

/**
 * The entry of an MCP server that comes from the API. References to the environment are for the operator's file alone.
 * @throws AppError INTEGRATION_INVALID naming the field.
 */
export function parseMcpIntegration(definition: StoredIntegration['definition']): McpServerEntry {
  const parsed = parseStoredMcp(definition);
  const { slug } = definition;
  if ('broken' in parsed) throw invalid(`${slug}: ${parsed.broken.problem}`);
  if ('disabled' in parsed) throw invalid(`${slug}: disabled: leave it out, or do not add the integration`);
  return parsed.entry;
}

/** References to the environment are for the operator's file: an API caller must not read this service's. */
export function parseStoredMcp({ slug, kind: _, ...definition }: StoredIntegration['definition']): ParsedEntry {
  return parseServerEntry(slug, definition, { origin: 'api', environment: {} });
}

export const NO_COMMANDS =
  "This workspace may not run commands on the operator's machine: add the server by its url, or have the operator set EXECUTOR_WORKSPACES_TRUSTED=true.";

/** A command that was allowed when it was added. */
export const refusedCommand = ({ slug, trust = 'annotations' }: StoredIntegration['definition']): BrokenEntry => ({
  slug,
  origin: 'api',
  trust,
  problem: NO_COMMANDS,
  warnings: [],
});

export const documentDefinition = ({ definition }: Pick<StoredIntegration, 'definition'>): DocumentDefinition => ({
  slug: definition.slug,
  url: definition.url ?? null,
  baseUrl: definition.baseUrl ?? null,
  readOnlyTools: definition.readOnlyTools ?? [],
  callTimeoutMs: definition.timeoutMs ?? DEFAULT_CALL_TIMEOUT_MS,
});

const invalid = (message: string): AppError => new AppError('INTEGRATION_INVALID', message);
