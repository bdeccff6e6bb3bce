import { isAppError, messageOf } from '@code-executor/platform/errors';
import type { InvokeContext, InvokeResult, SourceKind } from '../port.ts';
import type { OpenApiBinding } from './binding.ts';
import { topLevelText } from './document/top-level-text.ts';
import { buildRequest } from './invoke/build-request.ts';
import { readReply } from './invoke/read-reply.ts';
import { parseOpenApi } from './parse-openapi.ts';

/** APIs described by OpenAPI 2.0 (Swagger), 3.0 or 3.1, in JSON or YAML. */
export const openApiKind: SourceKind<OpenApiBinding> = {
  kind: 'openapi',
  detect({ text }) {
    const found = topLevelText(text, ['openapi', 'swagger']);
    if (found === null || !/^\d+(\.\d+)*/.test(found.value)) return null;
    return `${found.key === 'swagger' ? 'Swagger' : 'OpenAPI'} ${/^\d+(?:\.\d+)?/.exec(found.value)?.[0] ?? ''}`.trim();
  },
  parse: parseOpenApi,
  invoke: invokeOperation,
  probe: probeUpstream,
};

/** One HTTP request, and its answer as a value. */
export async function invokeOperation(
  binding: OpenApiBinding,
  args: Readonly<Record<string, unknown>>,
  context: InvokeContext,
): Promise<InvokeResult> {
  const request = buildRequest(binding, args, context);
  const response = await context.http.request({ ...request, timeoutMs: context.timeoutMs, signal: context.signal });
  return readReply(response, Date.now());
}

/** Any answer over HTTP is a sign of life, a refusal too. GET, because some servers do not answer HEAD at all. */
export async function probeUpstream({
  baseUrl,
  credential,
  http,
  timeoutMs,
  signal,
}: Omit<InvokeContext, 'idempotencyKey'>): Promise<string | null> {
  const headers = credential === null ? {} : credential.headers;
  try {
    await http.request({ method: 'GET', url: baseUrl, headers: { accept: '*/*', ...headers }, timeoutMs, signal, redirects: 0 });
    return null;
  } catch (error) {
    signal.throwIfAborted();
    // It answered, with more than was asked for.
    if (isAppError(error, 'REPLY_TOO_LARGE')) return null;
    return messageOf(error).slice(0, 500);
  }
}
