import type { ExecutionStatus, Principal } from '@code-executor/contracts';
import type { ExecutionRecord } from './port.ts';
import type { ExecutionStore } from './store/execution-store.ts';
import { visibilityOf } from './visibility.ts';

/** Which part of the history. */
export interface HistoryFilter {
  /** Created at this time or later. */
  readonly from?: Date | undefined;
  /** Created before; those created after the export began are not in it. */
  readonly to?: Date | undefined;
  readonly status?: ExecutionStatus | undefined;
}

const IDS_AT_ONCE = 500;

/**
 * Oldest first, one record in memory at a time, as they are written: of one that runs there is no output yet. What is purged
 * meanwhile is left out. Throws the signal's reason.
 */
export async function* exportExecutions(
  principal: Principal,
  filter: HistoryFilter,
  signal: AbortSignal,
  { store, now }: { readonly store: Pick<ExecutionStore, 'ids' | 'find'>; readonly now: () => number },
): AsyncGenerator<ExecutionRecord> {
  const visible = visibilityOf(principal);
  const bounded = { ...filter, to: filter.to ?? new Date(now() + 1) };
  for (let after: string | undefined; ; ) {
    const ids = await store.ids(visible, { ...bounded, after, limit: IDS_AT_ONCE });
    for (const id of ids) {
      signal.throwIfAborted();
      const found = await store.find(id, visible);
      if (found !== null) yield found.record;
    }
    after = ids.at(-1);
    if (ids.length < IDS_AT_ONCE) return;
  }
}
