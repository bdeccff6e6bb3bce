import { AppError } from '@code-executor/platform';
import { baseUrlOf, type SourceRecord } from '../sources/documents/source-record.ts';

/** Of an integration: what the operator said of it, and what its document did. */
interface Destinations {
  readonly definition: { readonly url?: string | undefined; readonly baseUrl?: string | undefined };
  readonly record: Pick<SourceRecord, 'baseUrl' | 'securitySchemes'>;
}

/**
 * Connections belong to the servers they were made for. A document that names others when it is read again, because its host was taken
 * over or its text was exchanged, must not be followed there with the secrets. @throws AppError INTEGRATION_INVALID
 */
export function assertStays(slug: string, before: Destinations, after: Destinations): void {
  const [calls, callsNow] = [originOf(baseOf(before)), originOf(baseOf(after))];
  if (calls !== null && callsNow !== null && calls !== callsNow)
    throw new AppError(
      'INTEGRATION_INVALID',
      `baseUrl: the document sends calls to ${callsNow} now, before to ${calls}, and the connections of ${slug} were made for that one. Where the change is right, say {"baseUrl": …} first; nothing was changed`,
      { details: { before: calls, now: callsNow } },
    );
  const [tokens, tokensNow] = [tokenOrigin(before), tokenOrigin(after)];
  if (tokens !== null && tokensNow !== null && tokens !== tokensNow)
    throw new AppError(
      'INTEGRATION_INVALID',
      `tokenUrl: the document names the authorization server ${tokensNow} now, before ${tokens}, and the connections of ${slug} were made with that one. Where the change is right, remove the integration and add it anew; nothing was changed`,
      { details: { before: tokens, now: tokensNow } },
    );
}

const baseOf = ({ definition, record }: Destinations): string | null =>
  baseUrlOf({ url: definition.url ?? null, baseUrl: definition.baseUrl ?? null }, record);

/** The one that `findServer` takes where a connection says nothing of its own. */
function tokenOrigin(destinations: Destinations): string | null {
  const declared = destinations.record.securitySchemes.find((scheme) => scheme.type === 'oauth2' && scheme.tokenUrl !== undefined);
  return declared?.type === 'oauth2' ? originOf(declared.tokenUrl ?? null, baseOf(destinations) ?? undefined) : null;
}

const originOf = (url: string | null, base?: string): string | null =>
  url !== null && URL.canParse(url, base) ? new URL(url, base).origin : null;
