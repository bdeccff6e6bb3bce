import type { Readable } from 'node:stream';
import type { Principal } from '@code-executor/contracts';
import { AppError } from '@code-executor/platform';
import type { ExecutionRecord } from '../port.ts';
import type { ArtifactStore } from './artifact-store.ts';

/** One file that an execution left behind. */
export interface Artifact {
  readonly path: string;
  readonly bytes: number;
}

/** What the gateway asks of artifacts. Who may see an execution may see what it left. */
export interface Artifacts {
  list(
    principal: Principal,
    executionId: string,
  ): Promise<{ readonly items: Artifact[]; readonly omitted: readonly { readonly path: string; readonly reason: string }[] }>;
  /** Throws FILE_NOT_FOUND. The stream is the caller's. */
  open(principal: Principal, executionId: string, path: string): Promise<{ readonly bytes: number; readonly content: Readable }>;
}

/** `find` answers the execution, or throws EXECUTION_NOT_FOUND where the principal may not see it. */
export function createArtifacts(
  store: Pick<ArtifactStore, 'list' | 'open'>,
  find: (principal: Principal, executionId: string) => Promise<ExecutionRecord>,
): Artifacts {
  return {
    async list(principal, executionId) {
      await find(principal, executionId);
      const { files, omitted } = await store.list(executionId);
      return { items: files.map(({ path, bytes }) => ({ path, bytes })), omitted };
    },
    async open(principal, executionId, path) {
      await find(principal, executionId);
      const found = await store.open(executionId, path);
      if (found !== null) return found;
      throw new AppError('FILE_NOT_FOUND', `Execution ${executionId} left no file ${JSON.stringify(path.slice(0, 200))}.`);
    },
  };
}
