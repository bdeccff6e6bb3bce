import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { DEFAULT_WORKSPACE_ID, type ToolDefinition } from '@code-executor/contracts';
import { createWrapperStore, type WrapperSnapshot, type WrapperStore, type WrapperStoreOptions } from './wrapper-store.ts';

/** A store for each workspace: no directory is ever shown to two of them, not even where their tools are the same. */
export interface WorkspaceWrapperStores {
  snapshot(tools: readonly ToolDefinition[], workspaceId: string): Promise<WrapperSnapshot>;
  /** The workspace is not used at the moment. Its snapshots stay; what is in memory goes. */
  letGo(workspaceId: string): void;
  /** The workspace is there no more: its directory goes as well. */
  remove(workspaceId: string): Promise<void>;
  close(): Promise<void>;
}

const WORKSPACE_ID = /^wsp_[0-9a-z]{1,60}$/;

/** The home workspace's snapshots lie in the directory itself, as they did before there were others. */
export function createWorkspaceWrapperStores({ dir, ...options }: WrapperStoreOptions): WorkspaceWrapperStores {
  const stores = new Map<string, WrapperStore>();
  const closing = new Map<string, Promise<void>>();
  storeOf(DEFAULT_WORKSPACE_ID);

  return {
    async snapshot(tools, workspaceId) {
      // Two stores must not work in one directory.
      await closing.get(workspaceId);
      return await storeOf(workspaceId).snapshot(tools);
    },
    letGo: (workspaceId) => void (workspaceId === DEFAULT_WORKSPACE_ID || letGo(workspaceId)),
    async remove(workspaceId) {
      if (workspaceId === DEFAULT_WORKSPACE_ID) return;
      await letGo(workspaceId);
      rmSync(directoryOf(workspaceId), { recursive: true, force: true });
    },
    async close() {
      await Promise.all([...closing.values(), ...[...stores.values()].map((store) => store.close())]);
    },
  };

  function storeOf(workspaceId: string): WrapperStore {
    const known = stores.get(workspaceId);
    if (known !== undefined) return known;
    const store = createWrapperStore({ ...options, dir: directoryOf(workspaceId) });
    stores.set(workspaceId, store);
    return store;
  }

  function directoryOf(workspaceId: string): string {
    if (workspaceId === DEFAULT_WORKSPACE_ID) return dir;
    if (!WORKSPACE_ID.test(workspaceId)) throw new Error('That is no id of a workspace.');
    return join(dir, workspaceId);
  }

  function letGo(workspaceId: string): Promise<void> {
    const store = stores.get(workspaceId);
    if (store === undefined) return closing.get(workspaceId) ?? Promise.resolve();
    stores.delete(workspaceId);
    const work = store.close().finally(() => closing.delete(workspaceId));
    closing.set(workspaceId, work);
    return work;
  }
}
