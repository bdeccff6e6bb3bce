import { setTimeout as sleep } from 'node:timers/promises';
import { AppError, isAppError } from '@code-executor/platform';
import { type CollectedFile, collectArtifacts, type KeepFile, type LeftBehind } from '@code-executor/sandbox';
import { ARTIFACT_BOUNDS } from '../artifacts/artifact-store.ts';
import type { ProxyClient, ProxyRequest } from './proxy-client.ts';

export interface RemoteArtifacts {
  /** Sends what an execution left behind, for whose claim `grant` stands. Rejects where that could not be done in time; nothing is listed then. */
  keep(executionId: string, grant: () => string, left: LeftBehind): Promise<void>;
}

/** An end waits for no longer than this, and for half a minute more while one file is on its way. */
const KEEP_MS = 60_000;
const FILE_TIMEOUT_MS = 30_000;
const INDEX_TIMEOUT_MS = 5_000;
/** A proxy that is being restarted is back by then. */
const RETRY_DELAYS_MS = [250, 1_000, 3_000, 6_000];

/** A worker keeps nothing: files go to the proxy one by one as they lie in the sandbox, and count once their list has come. */
export function createRemoteArtifacts(client: ProxyClient): RemoteArtifacts {
  return {
    async keep(executionId, grant, left) {
      const path = `/internal/executions/${executionId}/artifacts`;
      const untilMs = performance.now() + KEEP_MS;
      const send: KeepFile = async (name, file) => {
        try {
          await retried(client, () => fileRequest(`${path}/${name}`, grant(), file), untilMs);
          return null;
        } catch (error) {
          if (isAppError(error) && !error.retryable && error.code !== 'STALE_CLAIM') return error.message.slice(0, 200);
          throw error;
        }
      };
      const { files, omitted } = await collectArtifacts(left, send, ARTIFACT_BOUNDS);
      if (files.length === 0 && omitted.length === 0) return;
      const index = { files, omitted };
      await retried(
        client,
        () => ({ method: 'POST', path, body: { index }, bearer: grant(), timeoutMs: INDEX_TIMEOUT_MS }) as const,
        untilMs,
      );
    },
  };
}

const fileRequest = (path: string, bearer: string, file: CollectedFile): ProxyRequest => ({
  method: 'PUT',
  path,
  content: { stream: file.open(), bytes: file.bytes },
  bearer,
  timeoutMs: FILE_TIMEOUT_MS,
});

/** What is sent twice is kept once. */
async function retried(client: ProxyClient, request: () => ProxyRequest, untilMs: number): Promise<void> {
  for (const delayMs of RETRY_DELAYS_MS) {
    if (performance.now() > untilMs) throw new AppError('LEDGER_UNAVAILABLE', 'There was no time left to keep what the program left.');
    try {
      await client.ask(request());
      return;
    } catch (error) {
      if (!isAppError(error, 'LEDGER_UNAVAILABLE')) throw error;
      await sleep(delayMs);
    }
  }
  await client.ask(request());
}
