import { z } from 'zod';
import type { SessionLedger } from '../fleet-sessions/port.ts';
import type { ProxyClient } from './proxy-client.ts';
import { readAnswer } from './read-answer.ts';

/** Within a lease of four seconds there is time for two tries. */
const RENEW_TIMEOUT_MS = 1_500;
/** 64 MB within a fleet's own network, where the database may be busy. */
const CONTENT_TIMEOUT_MS = 30_000;
const ANSWER_TIMEOUT_MS = 5_000;

/** The sessions' ledger behind mcp-proxy's internal routes. The worker's own token says which worker it is. */
export function createRemoteSessionLedger(client: ProxyClient): SessionLedger {
  const contentOf = (transferId: string): string => `/internal/sessions/transfers/${transferId}/content`;
  return {
    async renew(_workerId, held, lost) {
      const request = { method: 'POST', path: '/internal/sessions/renew', body: { held, lost }, timeoutMs: RENEW_TIMEOUT_MS } as const;
      return readAnswer(renewalSchema, await client.ask(request));
    },
    readTransfer: (_workerId, transferId) => client.open({ method: 'GET', path: contentOf(transferId), timeoutMs: CONTENT_TIMEOUT_MS }),
    async writeTransfer(_workerId, transferId, stream, bytes) {
      await client.ask({ method: 'PUT', path: contentOf(transferId), content: { stream, bytes }, timeoutMs: CONTENT_TIMEOUT_MS });
    },
    async answerTransfer(_workerId, transferId, answer) {
      const path = `/internal/sessions/transfers/${transferId}/answer`;
      await client.ask({ method: 'POST', path, body: { answer }, timeoutMs: ANSWER_TIMEOUT_MS });
    },
  };
}

const renewalSchema = z.object({
  gone: z.array(z.string()),
  executions: z.array(z.string()),
  transfers: z.array(z.object({ id: z.string(), incarnation: z.string(), act: z.enum(['list', 'read', 'write']), path: z.string() })),
});
