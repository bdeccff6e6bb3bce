import type { DocumentSummary } from '../reading/messages.ts';

/** What the document of an integration said when it was last read, as it is stored: neither restart nor call reads it again. */
export interface SourceRecord extends DocumentSummary {
  /** When, as ISO 8601. */
  readonly readAt: string;
}

/** Where calls go: what the operator says, else what the document says, else where the document is from. Null: nobody says it. */
export function baseUrlOf(
  { url, baseUrl }: { readonly url: string | null; readonly baseUrl: string | null },
  record: Pick<SourceRecord, 'baseUrl'>,
): string | null {
  if (baseUrl !== null) return baseUrl;
  const said = record.baseUrl ?? (url === null ? null : '/');
  if (said === null) return null;
  const parsed = url === null ? (URL.canParse(said) ? new URL(said) : null) : URL.canParse(said, url) ? new URL(said, url) : null;
  return parsed === null || !/^https?:$/.test(parsed.protocol) ? null : parsed.href;
}

/** What an operator should know of it. */
export function baseUrlWarnings(
  definition: { readonly url: string | null; readonly baseUrl: string | null },
  record: SourceRecord,
): string[] {
  if (definition.baseUrl !== null) return [];
  if (baseUrlOf(definition, record) === null) return [`Calls fail: ${NO_BASE_URL}`];
  if (record.baseUrl !== null) return [];
  return [
    `The document names no server: calls go to ${baseUrlOf(definition, record)}, where it was fetched from; "baseUrl" says otherwise`,
  ];
}

export const NO_BASE_URL =
  'its document does not say where the API is. Say it with POST /integrations/:slug/refresh {"baseUrl": "https://…"}';
