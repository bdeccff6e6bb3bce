import { each, type PageQuery } from '../http/each.ts';
import { segment, sendForJson } from '../http/json.ts';
import type { RequestOptions, Send } from '../http/send.ts';
import type { Approval, ApprovalStatus, ApprovalVerdict } from '../types/approval.ts';
import type { Page } from '../types/page.ts';

export interface ApprovalQuery extends PageQuery {
  readonly status?: ApprovalStatus;
  readonly executionId?: string;
}

export interface Approvals {
  /** Newest first. */
  list(query?: ApprovalQuery, options?: RequestOptions): Promise<Page<Approval>>;
  each(query?: ApprovalQuery, options?: RequestOptions): AsyncGenerator<Approval>;
  get(id: string, options?: RequestOptions): Promise<Approval>;
  decide(id: string, verdict: ApprovalVerdict, options?: RequestOptions): Promise<Approval>;
}

export function approvalsOf(send: Send): Approvals {
  const list: Approvals['list'] = (query, options) =>
    sendForJson(send, { method: 'GET', path: '/approvals', query: { ...query }, options });
  return {
    list,
    each: (query, options) => each(list, query, options),
    get: (id, options) => sendForJson(send, { method: 'GET', path: `/approvals/${segment(id)}`, options }),
    // The same decision again answers the same.
    decide: (id, verdict, options) =>
      sendForJson(send, { method: 'POST', path: `/approvals/${segment(id)}`, body: verdict, options, repeatable: true }),
  };
}
