import type { ReadDocument } from '@code-executor/executions';
import type { Logger } from '@code-executor/platform';
import { createOutboundHttp, type outboundSettings } from '@code-executor/tools';
import type { z } from 'zod';

const TIMEOUT_MS = 5_000;
const LIMIT_BYTES = 256 * 1024;

/**
 * What the operator's identity provider publishes, through the outbound guard. The issuer is an address that the operator has
 * written down, like one of the servers file; where its keys lie elsewhere, that address is judged like any other.
 */
export function openProviderDocuments(options: {
  readonly issuer: string;
  readonly allow: z.infer<typeof outboundSettings.EXECUTOR_OUTBOUND_ALLOW>;
  readonly log: Logger;
}): { readonly read: ReadDocument; close(): Promise<void> } {
  const guard = createOutboundHttp({ allow: options.allow, strict: true, log: options.log });
  const http = guard.withOrigin(options.issuer, 'operator');
  const life = new AbortController();
  return {
    async read(url, signal) {
      const { status, body } = await http.request({
        method: 'GET',
        url,
        headers: { accept: 'application/json' },
        timeoutMs: TIMEOUT_MS,
        maximumBytes: LIMIT_BYTES,
        redirects: 0,
        signal: signal === undefined ? life.signal : AbortSignal.any([signal, life.signal]),
      });
      return { status, text: Buffer.from(body).toString('utf8') };
    },
    async close() {
      life.abort();
      await guard.close();
    },
  };
}
