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
/** One longer than this comes alone. */
const RECORDS_AT_ONCE = 50;
const RECORDS_AT_ONCE_BYTES = 1024 * 1024;

/**
 * Oldest first, a few records in memory at a time, as they are written: of one that runs there is no output yet. What is
 * purged meanwhile is left out. Throws the signal's reason.
 */
export async function* exportExecutions(
  principal: Principal,
  filter: HistoryFilter,
  signal: AbortSignal,
  { store, now }: { readonly store: Pick<ExecutionStore, 'sizes' | 'records'>; readonly now: () => number },
): AsyncGenerator<ExecutionRecord> {
  const visible = visibilityOf(principal);
  const bounded = { ...filter, to: filter.to ?? new Date(now() + 1) };
  for (let after: string | undefined; ; ) {
    const page = await store.sizes(visible, { ...bounded, after, limit: IDS_AT_ONCE });
    for (const ids of inGroups(page)) {
      for (const record of await store.records(ids)) {
        signal.throwIfAborted();
        yield record;
      }
    }
    after = page.at(-1)?.id;
    if (page.length < IDS_AT_ONCE) return;
  }
}

function* inGroups(page: readonly { readonly id: string; readonly bytes: number }[]): Generator<string[]> {
  let ids: string[] = [];
  let bytes = 0;
  for (const one of page) {
    if (ids.length === RECORDS_AT_ONCE || (ids.length > 0 && bytes + one.bytes > RECORDS_AT_ONCE_BYTES)) {
      yield ids;
      ids = [];
      bytes = 0;
    }
    ids.push(one.id);
    bytes += one.bytes;
  }
  if (ids.length > 0) yield ids;
}
