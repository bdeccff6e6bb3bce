/** Finding tools at run time: ask for the few that are needed instead of reading the whole catalog. */
import { $discover, $metaOf } from './runtime.ts';

/** How much of each tool an answer carries. */
export type Detail = 'name' | 'description' | 'full';

export interface SearchOptions {
  server?: string;
  detail?: Detail;
  limit?: number;
  offset?: number;
}

/** What an answer says about itself, apart from its value. */
export interface ReplyMeta {
  /** Of HTTP. */
  status?: number;
  /** Addresses of the `Link` header by `rel`: `next`, `last`. */
  links?: Record<string, string>;
  rateLimit?: { limit?: number; remaining?: number; resetAt?: string };
  retryAfterSeconds?: number;
}

/** Of the very object or list that a tool call answered with, or of the error it threw; null: nothing is known. */
export function metaOf(result: unknown): ReplyMeta | null {
  return $metaOf(result) as ReplyMeta | null;
}

/** The servers there are: `[{ server, state, tools, reason }]`, `tools` being how many it has. */
// biome-ignore lint/suspicious/noExplicitAny: rows carry what the catalog holds
export function listServers(): Promise<any> {
  return $discover('list_servers', {});
}

/** The tools of one server, or of all, in the shape of a search. */
// biome-ignore lint/suspicious/noExplicitAny: rows carry what the catalog holds
export function listTools(server?: string | SearchOptions): Promise<any> {
  return $discover('list_tools', typeof server === 'string' ? { server } : (server ?? {}));
}

/**
 * Tools that fit the words, the best first: `searchTools('read file', { limit: 5 })` answers `{ items, total, tokens, tokensSaved, nextOffset }`.
 * `items` is `{ server: [tool, …] }` with detail `name`, `{ server: { tool: description } }` with `description`, a list with `full`.
 */
// biome-ignore lint/suspicious/noExplicitAny: the shape of `items` depends on `detail`
export function searchTools(query: string | ({ query: string } & SearchOptions), options: SearchOptions = {}): Promise<any> {
  const { query: q, ...rest } = typeof query === 'string' ? { ...options, query } : query;
  return $discover('search_tools', { ...rest, q });
}

/** One tool with its schema, signature and an example: `getTool('filesystem', 'read_text_file')` or `getTool('filesystem.read_text_file')`. */
// biome-ignore lint/suspicious/noExplicitAny: schemas are foreign
export function getTool(server: string, tool?: string): Promise<any> {
  if (tool !== undefined) return $discover('get_tool', { server, tool });
  const dot = server.indexOf('.');
  return $discover('get_tool', dot < 0 ? { server } : { server: server.slice(0, dot), tool: server.slice(dot + 1) });
}
