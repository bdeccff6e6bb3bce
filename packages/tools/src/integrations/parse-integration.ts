import { AppError } from '@code-executor/platform';
import type { NewIntegration } from '../port.ts';
import { type McpServerEntry, type ParsedEntry, parseServerEntry } from '../sources/mcp/server-entry.ts';
import { SLUG_PATTERN } from '../sources/mcp/servers-file.ts';

/** Addresses that hand out a machine's own credentials. */
const METADATA_HOSTS = /^(169\.254\.\d+\.\d+|metadata\.google\.internal|\[fd00:ec2::254\]|\[fe80:.*\]|100\.100\.100\.200)$/;

/**
 * The entry of an integration that comes from the API. References to the environment are for the operator's file alone.
 * @throws AppError INTEGRATION_INVALID naming the field.
 */
export function parseIntegration(integration: NewIntegration): McpServerEntry {
  const { slug, kind } = integration;
  if (!SLUG_PATTERN.test(slug))
    throw new AppError('INTEGRATION_INVALID', 'slug: up to 64 letters, digits, _ and -, a letter or digit first');
  if (kind !== 'mcp') throw new AppError('INTEGRATION_INVALID', `kind: only "mcp" can be added, not ${JSON.stringify(kind)}`);
  if (integration.url !== undefined && URL.canParse(integration.url) && METADATA_HOSTS.test(new URL(integration.url).hostname)) {
    throw new AppError('INTEGRATION_INVALID', 'url: this address belongs to the machine itself and is not reached');
  }
  const parsed = parseStoredIntegration(integration);
  if ('broken' in parsed) throw new AppError('INTEGRATION_INVALID', `${slug}: ${parsed.broken.problem}`);
  if ('disabled' in parsed) throw new AppError('INTEGRATION_INVALID', `${slug}: disabled: leave it out, or do not add the integration`);
  return parsed.entry;
}

/** References to the environment are for the operator's file: an API caller must not read this service's. */
export function parseStoredIntegration({ slug, kind: _, ...definition }: NewIntegration): ParsedEntry {
  return parseServerEntry(slug, definition, { origin: 'api', environment: {} });
}
