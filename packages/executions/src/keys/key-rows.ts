import type { createKeyStore, StoredKey } from './key-store.ts';

/** Reads the keys one read at a time: who asks while one is under way gets the next, which sees what they know of. */
export function createKeyRows(
  store: Pick<ReturnType<typeof createKeyStore>, 'all' | 'version'>,
  take: (keys: readonly StoredKey[]) => void,
) {
  let version: string | null = null;
  let looking: Promise<void> | null = null;
  let next: Promise<void> | null = null;

  return {
    async reload(): Promise<void> {
      version = null;
      await look();
    },
    reloadIfChanged: look,
  };

  function look(): Promise<void> {
    if (looking === null) {
      looking = read().finally(() => {
        looking = null;
      });
      return looking;
    }
    next ??= looking
      .catch(() => undefined)
      .then(() => {
        next = null;
        return look();
      });
    return next;
  }

  async function read(): Promise<void> {
    const found = await store.version();
    if (found === version) return;
    take(await store.all());
    version = found;
  }
}
