import { ENDED_STATUSES, type ExecuteRequest, type ExecutionEvent, newId, type Principal } from '@code-executor/contracts';
import type { ExecutionEnded, ExecutionRecord, HistoryFilter } from '@code-executor/executions';
import { AppError } from '@code-executor/platform';
import type { ObservedExecutions } from '../gateway-app.ts';

interface Kept {
  record: ExecutionRecord;
  readonly owner: string;
  readonly events: ExecutionEvent[];
  readonly changed: Set<() => void>;
}

/**
 * Executions in memory, for tests of the gateway alone: nothing runs. Each ends at once with the result 42, unless `held`,
 * in which case the test says when and how.
 */
export class MemoryExecutions implements ObservedExecutions {
  readonly submitted: ExecuteRequest[] = [];
  readonly #kept = new Map<string, Kept>();
  readonly #idempotent = new Map<string, string>();
  readonly #listeners = new Set<(event: ExecutionEnded) => void>();
  held = false;
  /** Thrown by the next submit. */
  failure: Error | null = null;
  /** Iterators of event streams that are open. */
  openStreams = 0;
  /** Events that streams have pulled. */
  eventsTaken = 0;
  waits = 0;

  async submit(principal: Principal, request: ExecuteRequest, options: { readonly idempotencyKey?: string | undefined }) {
    if (this.failure) throw this.failure;
    const known = options.idempotencyKey === undefined ? undefined : this.#idempotent.get(options.idempotencyKey);
    if (known) return { executionId: known, replayed: true };
    this.submitted.push(request);
    const executionId = newId('exe');
    if (options.idempotencyKey !== undefined) this.#idempotent.set(options.idempotencyKey, executionId);
    const kept: Kept = { record: recordOf(executionId, request.language), owner: principal.id, events: [], changed: new Set() };
    this.#kept.set(executionId, kept);
    if (!this.held) this.end(executionId, { resultJson: '42' });
    return { executionId, replayed: false };
  }

  end(executionId: string, fields: Partial<ExecutionRecord>): void {
    const kept = this.#of(executionId);
    kept.record = { ...kept.record, status: 'succeeded', endedAt: new Date().toISOString(), ...fields };
    this.emit(executionId, { type: 'ended', data: { status: kept.record.status, error: kept.record.error } });
    for (const listener of this.#listeners) listener(endedOf(kept));
  }

  onExecutionEnded(listener: (event: ExecutionEnded) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  pause(executionId: string): void {
    const kept = this.#of(executionId);
    kept.record = { ...kept.record, status: 'paused' };
    this.emit(executionId, { type: 'status', data: { status: 'paused', at: new Date().toISOString() } });
  }

  emit(executionId: string, event: DistributiveOmit<ExecutionEvent, 'id'>): void {
    const kept = this.#of(executionId);
    kept.events.push({ id: kept.events.length + 1, ...event });
    for (const notify of kept.changed) notify();
  }

  ids(): string[] {
    return [...this.#kept.keys()];
  }

  async wait(principal: Principal, executionId: string, signal: AbortSignal): Promise<ExecutionRecord> {
    const kept = this.#visible(principal, executionId);
    this.waits += 1;
    try {
      while (!isOver(kept.record)) await this.#change(kept, signal);
      return kept.record;
    } finally {
      this.waits -= 1;
    }
  }

  async get(principal: Principal, executionId: string): Promise<ExecutionRecord> {
    return this.#visible(principal, executionId).record;
  }

  async list(principal: Principal, page: { readonly limit: number }) {
    const all = [...this.#kept.values()].filter(({ owner }) => principal.role !== 'agent' || owner === principal.id);
    return { items: all.slice(0, page.limit).map(({ record }) => record), total: all.length, nextCursor: null };
  }

  async *export(principal: Principal, filter: HistoryFilter, signal: AbortSignal): AsyncGenerator<ExecutionRecord> {
    for (const { record, owner } of this.#kept.values()) {
      signal.throwIfAborted();
      if (this.failure) throw this.failure;
      if (principal.role === 'agent' && owner !== principal.id) continue;
      if (filter.status === undefined || record.status === filter.status) yield record;
    }
  }

  async purge(_principal: Principal, before: Date) {
    const old = [...this.#kept].filter(([, { record }]) => record.endedAt !== null && Date.parse(record.endedAt) < before.getTime());
    for (const [id] of old) this.#kept.delete(id);
    return { purged: old.length, complete: true };
  }

  async cancel(principal: Principal, executionId: string): Promise<ExecutionRecord> {
    const kept = this.#visible(principal, executionId);
    if (ENDED_STATUSES.includes(kept.record.status)) throw new AppError('EXECUTION_ENDED', `Execution ${executionId} has ended already.`);
    this.end(executionId, { status: 'cancelled', error: { code: 'CANCELLED', message: 'cancelled' } });
    return kept.record;
  }

  async events(principal: Principal, executionId: string, afterId: number, signal: AbortSignal): Promise<AsyncIterable<ExecutionEvent>> {
    const kept = this.#visible(principal, executionId);
    if (afterId > kept.events.length) throw new AppError('INVALID_EVENT_ID', `Execution ${executionId} has no event ${afterId}.`);
    return this.#follow(kept, afterId, signal);
  }

  depth() {
    const records = [...this.#kept.values()].map(({ record }) => record.status);
    return { queued: records.filter((status) => status === 'queued').length, running: 0 };
  }

  async *#follow(kept: Kept, afterId: number, signal: AbortSignal): AsyncGenerator<ExecutionEvent> {
    this.openStreams += 1;
    try {
      for (let at = afterId; ; at += 1) {
        while (at >= kept.events.length) {
          if (ENDED_STATUSES.includes(kept.record.status)) return;
          await this.#change(kept, signal);
        }
        const event = kept.events[at];
        if (!event) continue;
        this.eventsTaken += 1;
        yield event;
      }
    } finally {
      this.openStreams -= 1;
    }
  }

  #change(kept: Kept, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const finish = () => {
        kept.changed.delete(finish);
        signal.removeEventListener('abort', finish);
        if (signal.aborted) reject(signal.reason);
        else resolve();
      };
      if (signal.aborted) finish();
      kept.changed.add(finish);
      signal.addEventListener('abort', finish);
    });
  }

  #visible(principal: Principal, executionId: string): Kept {
    const kept = this.#kept.get(executionId);
    if (!kept || (principal.role === 'agent' && kept.owner !== principal.id)) {
      throw new AppError('EXECUTION_NOT_FOUND', `There is no execution ${executionId}.`);
    }
    return kept;
  }

  #of(executionId: string): Kept {
    const kept = this.#kept.get(executionId);
    if (!kept) throw new Error(`no execution ${executionId}`);
    return kept;
  }
}

function endedOf({ record, owner }: Kept): ExecutionEnded {
  const { executionId, language, status, error, effects, metrics } = record;
  return {
    executionId,
    requestId: 'req_test',
    traceId: null,
    workspaceId: 'wsp_default',
    principalId: owner,
    language,
    status,
    errorCode: error?.code ?? null,
    effects,
    queueMs: metrics.queueMs,
    executionMs: 0,
    totalMs: metrics.totalMs,
    warm: metrics.warm,
    outputBytes: 0,
    outputTokens: 0,
    resultBytes: 0,
    toolCalls: 0,
  };
}

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

const isOver = ({ status }: ExecutionRecord): boolean => ENDED_STATUSES.includes(status) || status === 'paused';

function recordOf(executionId: string, language = 'typescript'): ExecutionRecord {
  return {
    executionId,
    status: 'queued',
    output: '',
    resultJson: null,
    error: null,
    executionTime: 0,
    truncated: false,
    droppedBytes: 0,
    effects: 'none',
    toolCalls: [],
    metrics: { queueMs: 0, totalMs: 0, warm: true, outputBytes: 0, outputTokens: 0 },
    approval: null,
    language,
    createdAt: '2026-01-01T00:00:00.000Z',
    endedAt: null,
  };
}
