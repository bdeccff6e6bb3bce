import { type FollowOptions, followEvents } from '../follow-events.ts';
import { each, type PageQuery } from '../http/each.ts';
import { segment, segments, sendForJson } from '../http/json.ts';
import { jsonLines } from '../http/json-lines.ts';
import type { RequestOptions, Send } from '../http/send.ts';
import type { Artifacts, ExecutionEvent, ExecutionStatus, ExecutionSummary, RecordedExecution } from '../types/execution.ts';
import type { Page } from '../types/page.ts';

export interface ExecutionQuery extends PageQuery {
  readonly status?: ExecutionStatus;
}

/** Times are ISO 8601. */
export interface ExportQuery {
  readonly from?: string;
  readonly to?: string;
  readonly status?: ExecutionStatus;
}

export interface ResumeVerdict {
  /** Where several wait. */
  readonly approvalId?: string;
  readonly decision?: 'approve' | 'deny';
  readonly scope?: 'once' | 'execution' | 'always';
  readonly reason?: string;
  /** Answer when it ended, or is paused again. */
  readonly wait?: boolean;
}

export interface Executions {
  /** Newest first. */
  list(query?: ExecutionQuery, options?: RequestOptions): Promise<Page<ExecutionSummary>>;
  /** All pages of `list`, one after the other. */
  each(query?: ExecutionQuery, options?: RequestOptions): AsyncGenerator<ExecutionSummary>;
  get(id: string, options?: RequestOptions): Promise<RecordedExecution>;
  cancel(id: string, options?: RequestOptions): Promise<RecordedExecution>;
  /** Decides on what a paused one waits for, or says how it is. */
  resume(id: string, verdict?: ResumeVerdict, options?: RequestOptions): Promise<RecordedExecution>;
  /** The live log up to the end; goes on by itself where a connection breaks. */
  events(id: string, options?: FollowOptions): AsyncGenerator<ExecutionEvent>;
  /** How it ended, once it has: an approval may take hours. */
  wait(id: string, options?: RequestOptions): Promise<RecordedExecution>;
  artifacts(id: string, options?: RequestOptions): Promise<Artifacts>;
  artifact(id: string, path: string, options?: RequestOptions): Promise<Uint8Array>;
  /** The history, oldest first, as it arrives. */
  export(query?: ExportQuery, options?: RequestOptions): AsyncGenerator<RecordedExecution>;
  /** Deletes what ended before a time. `complete: false`: ask again. */
  purge(before: string, options?: RequestOptions): Promise<{ readonly purged: number; readonly complete: boolean }>;
}

export function executionsOf(send: Send): Executions {
  const list: Executions['list'] = (query, options) =>
    sendForJson(send, { method: 'GET', path: '/executions', query: { ...query }, options });
  const get: Executions['get'] = (id, options) => sendForJson(send, { method: 'GET', path: `/executions/${segment(id)}`, options });
  const post = (id: string, act: string, body: object, options?: RequestOptions): Promise<RecordedExecution> =>
    sendForJson(send, { method: 'POST', path: `/executions/${segment(id)}/${act}`, body, options });
  const events: Executions['events'] = (id, options) => followEvents(send, `/executions/${segment(id)}/events`, options);
  return {
    list,
    each: (query, options) => each(list, query, options),
    get,
    cancel: (id, options) => post(id, 'cancel', {}, options),
    resume: (id, verdict = {}, options) => post(id, 'resume', verdict, options),
    events,
    async wait(id, options) {
      for await (const event of events(id, options?.signal === undefined ? {} : { signal: options.signal }))
        if (event.type === 'ended') break;
      return await get(id, options);
    },
    artifacts: (id, options) => sendForJson(send, { method: 'GET', path: `/executions/${segment(id)}/artifacts`, options }),
    async artifact(id, path, options) {
      const response = await send({ method: 'GET', path: `/executions/${segment(id)}/artifacts/${segments(path)}`, options });
      return new Uint8Array(await response.arrayBuffer());
    },
    export: (query, options) => jsonLines<RecordedExecution>(send, '/executions/export', { ...query }, options),
    purge: (before, options) => sendForJson(send, { method: 'DELETE', path: '/executions', query: { before }, options }),
  };
}
