import { ExecutorPausedError } from '../errors.ts';
import { each, type PageQuery } from '../http/each.ts';
import { segment, sendForJson } from '../http/json.ts';
import type { RequestOptions, Send } from '../http/send.ts';
import type { PendingApproval } from '../types/approval.ts';
import type { Page } from '../types/page.ts';
import type { InvokeAnswer, SearchAnswer, SearchQuery, ToolInfo, ToolSummary } from '../types/tool.ts';

export interface ToolQuery extends PageQuery {
  readonly server?: string;
}

export interface Tools {
  list(query?: ToolQuery, options?: RequestOptions): Promise<Page<ToolSummary>>;
  /** All pages of `list`, one after the other. */
  each(query?: ToolQuery, options?: RequestOptions): AsyncGenerator<ToolSummary>;
  search(query?: string | SearchQuery, options?: RequestOptions): Promise<SearchAnswer>;
  info(server: string, tool: string, options?: RequestOptions): Promise<ToolInfo>;
  /** One call without code. @throws ExecutorPausedError where a human has to decide first. */
  invoke(server: string, tool: string, args?: Readonly<Record<string, unknown>>, options?: RequestOptions): Promise<InvokeAnswer>;
  /** The catalog as OpenAPI 3.1, one operation a tool. */
  openapi(
    query?: { readonly server?: string },
    options?: RequestOptions,
  ): Promise<{ readonly openapi: string; readonly [member: string]: unknown }>;
}

export function toolsOf(send: Send): Tools {
  const list: Tools['list'] = (query, options) => sendForJson(send, { method: 'GET', path: '/tools', query: { ...query }, options });
  return {
    list,
    each: (query, options) => each(list, query, options),
    search: (query, options) =>
      sendForJson(send, { method: 'GET', path: '/tools/search', query: typeof query === 'string' ? { q: query } : { ...query }, options }),
    info: (server, tool, options) => sendForJson(send, { method: 'GET', path: `/tools/info/${segment(server)}/${segment(tool)}`, options }),
    openapi: (query, options) => sendForJson(send, { method: 'GET', path: '/tools/export/openapi', query: { ...query }, options }),
    async invoke(server, tool, args = {}, options = {}) {
      const answer = await sendForJson<InvokeAnswer | PausedAnswer>(send, {
        method: 'POST',
        path: `/tools/invoke/${segment(server)}/${segment(tool)}`,
        body: { args },
        // An upstream's own timeout ends it.
        options: { timeoutMs: 0, ...options },
      });
      if ('status' in answer) throw new ExecutorPausedError(answer.executionId, answer.approval);
      return answer;
    },
  };
}

interface PausedAnswer {
  readonly status: string;
  readonly executionId: string;
  readonly approval: PendingApproval;
}
