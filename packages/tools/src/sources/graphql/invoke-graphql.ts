import { readReply } from '../openapi/invoke/read-reply.ts';
import type { InvokeContext, InvokeResult } from '../port.ts';
import type { GraphqlBinding } from './binding.ts';
import { buildOperation, LINES_BEFORE_SELECTION } from './build-operation.ts';
import { misplaced } from './caller-selection.ts';
import { sendGraphql } from './graphql-request.ts';

const ERRORS_KEPT = 20;
const LONGEST_MESSAGE = 500;

/** One error of an answer, as far as it is what the standard says. */
export interface GraphqlFault {
  readonly message: string;
  readonly path?: string;
  readonly code?: string;
  readonly line?: number;
  readonly column?: number;
}

/** Calls the one field of a binding. Its value is the field's; where there are errors too, what came of it stands beside them. */
export async function invokeGraphql(
  binding: GraphqlBinding,
  args: Readonly<Record<string, unknown>>,
  { baseUrl, credential, http, idempotencyKey, timeoutMs, traceparent, signal }: InvokeContext,
): Promise<InvokeResult> {
  const operation = buildOperation(binding, args);
  const response = await sendGraphql({
    url: baseUrl,
    operation,
    hasFiles: binding.hasFiles,
    headers: {
      ...(binding.operation === 'mutation' ? { 'idempotency-key': idempotencyKey } : {}),
      ...(traceparent === undefined ? {} : { traceparent }),
      // Some servers take a form only from who could not be a page in a browser.
      ...(binding.hasFiles ? { 'apollo-require-preflight': 'true' } : {}),
    },
    credential,
    http,
    timeoutMs,
    signal,
  });
  const reply = readReply(response, Date.now());
  const answer = graphqlAnswer(reply.value);
  if (answer === null) return reply.ok ? { ...reply, ok: false, message: 'What answered there speaks no GraphQL' } : reply;
  const { data, faults } = answer;
  if (faults.length === 0 && reply.ok) return { ok: true, value: data?.[binding.field] ?? null, meta: reply.meta };
  const isOwnSelection = binding.selectArgument !== null && typeof args[binding.selectArgument] === 'string';
  if (isOwnSelection && data === null) refuseSelection(binding.selectArgument ?? '', operation.query, faults);
  const value = { data: data?.[binding.field] ?? null, errors: faults };
  return { ok: false, value, message: messageOf(faults) || reply.message || 'The request failed', meta: reply.meta };
}

/** What an answer says by the standard; null: it is none of GraphQL's. */
export function graphqlAnswer(
  value: unknown,
): { readonly data: Readonly<Record<string, unknown>> | null; readonly faults: readonly GraphqlFault[] } | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
  const data = 'data' in value && typeof value.data === 'object' ? (value.data as Readonly<Record<string, unknown>> | null) : null;
  const errors = 'errors' in value && Array.isArray(value.errors) ? (value.errors as unknown[]) : [];
  if (!('data' in value) && errors.length === 0) return null;
  return { data, faults: errors.slice(0, ERRORS_KEPT).map(faultOf) };
}

function faultOf(error: unknown): GraphqlFault {
  if (typeof error !== 'object' || error === null) return { message: String(error).slice(0, LONGEST_MESSAGE) };
  const { message, path, extensions, locations } = error as Readonly<Record<string, unknown>>;
  const code = typeof extensions === 'object' && extensions !== null && 'code' in extensions ? extensions.code : undefined;
  const place = Array.isArray(locations) ? (locations[0] as { readonly line?: unknown; readonly column?: unknown } | undefined) : undefined;
  const isPlaced = typeof place?.line === 'number' && typeof place.column === 'number';
  return {
    message: (typeof message === 'string' ? message : 'no message').slice(0, LONGEST_MESSAGE),
    ...(Array.isArray(path) ? { path: path.slice(0, 30).join('.').slice(0, 300) } : {}),
    ...(typeof code === 'string' ? { code: code.slice(0, 100) } : {}),
    ...(isPlaced ? { line: place.line as number, column: place.column as number } : {}),
  };
}

/**
 * The server has refused the request before it did anything, for what the caller selected: an error without a path, at a place within the
 * selection. @throws AppError INVALID_ARGUMENTS saying where in it.
 */
function refuseSelection(argument: string, query: string, faults: readonly GraphqlFault[]): void {
  const last = query.split('\n').length - LINES_BEFORE_SELECTION;
  const isWithin = ({ line, path }: GraphqlFault): boolean =>
    path === undefined && line !== undefined && line > LINES_BEFORE_SELECTION && line <= last;
  const found = faults.find(isWithin);
  if (found === undefined || faults.some(({ path }) => path !== undefined)) return;
  throw misplaced(argument, found.message, { line: found.line ?? 0, column: found.column ?? 0 }, LINES_BEFORE_SELECTION);
}

function messageOf(faults: readonly GraphqlFault[]): string {
  const said = faults.slice(0, 3).map(({ message, path }) => (path === undefined || path === '' ? message : `${message} (at ${path})`));
  const more = faults.length > 3 ? [`and ${faults.length - 3} more errors`] : [];
  return [...said, ...more].join('; ');
}
