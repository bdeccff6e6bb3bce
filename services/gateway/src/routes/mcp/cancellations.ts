import type { McpSessions } from '@code-executor/executions';
import { messageOf } from '@code-executor/platform';
import type { RequestId } from '@modelcontextprotocol/server';
import type { FastifyBaseLogger } from 'fastify';

/** A cancellation that reached another replica is found within this. */
const LOOK_MS = 1_000;

export interface Cancellations {
  /** `cancel` is called at most once; the answer ends the watch. */
  watch(sessionId: string, requestId: RequestId, cancel: () => void): () => void;
  cancel(sessionId: string, requestId: RequestId): Promise<void>;
}

/** Requests under way by session and id: here in memory, and over the database for those that another replica answers. */
export function createCancellations(sessions: McpSessions, log: FastifyBaseLogger): Cancellations {
  const underWay = new Map<string, { readonly sessionId: string; readonly requestId: string; readonly cancel: () => void }>();
  let timer: NodeJS.Timeout | undefined;

  return {
    watch(sessionId, requestId, cancel) {
      const text = textOf(requestId);
      const key = keyOf(sessionId, text);
      underWay.set(key, { sessionId, requestId: text, cancel });
      timer ??= setInterval(look, LOOK_MS).unref();
      return () => {
        underWay.delete(key);
        if (underWay.size > 0) return;
        clearInterval(timer);
        timer = undefined;
      };
    },
    async cancel(sessionId, requestId) {
      const here = underWay.get(keyOf(sessionId, textOf(requestId)));
      if (here !== undefined) here.cancel();
      else await sessions.cancelRequest({ sessionId, requestId: textOf(requestId) });
    },
  };

  function look(): void {
    sessions
      .cancelled([...underWay.values()])
      .then((told) => {
        for (const { sessionId, requestId } of told) underWay.get(keyOf(sessionId, requestId))?.cancel();
      })
      .catch((error: unknown) => log.debug({ reason: messageOf(error) }, 'MCP cancellations could not be looked for'));
  }
}

/** `1` and `"1"` are two requests. */
const textOf = (requestId: RequestId): string => JSON.stringify(requestId).slice(0, 200);
const keyOf = (sessionId: string, requestId: string): string => `${sessionId} ${requestId}`;
