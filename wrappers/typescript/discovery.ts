/** Finding tools at run time: ask for the few that are needed instead of reading the whole catalog. */
import { $discover } from './runtime.ts';

/** How much of each tool an answer carries. */
export type Detail = 'name' | 'description' | 'full';

export interface ServerSummary {
  server: string;
  tools: number;
  // biome-ignore lint/suspicious/noExplicitAny: later services may say more of a server
  [more: string]: any;
}

export interface ToolSummary {
  server: string;
  name: string;
  description: string;
  // biome-ignore lint/suspicious/noExplicitAny: later services may say more of a tool
  [more: string]: any;
}

export interface SearchOptions {
  server?: string;
  detail?: Detail;
  limit?: number;
  offset?: number;
}

/** The servers there are, with the number of their tools. */
// biome-ignore lint/suspicious/noExplicitAny: rows carry what the catalog holds
export function listServers(): Promise<any> {
  return $discover('list_servers', {});
}

/** The tools of one server, or of all. */
// biome-ignore lint/suspicious/noExplicitAny: rows carry what the catalog holds
export function listTools(server?: string | { server?: string; limit?: number; offset?: number }): Promise<any> {
  return $discover('list_tools', typeof server === 'string' ? { server } : (server ?? {}));
}

/** Tools that fit the words, the best first: `searchTools('read file', { limit: 5 })`. */
// biome-ignore lint/suspicious/noExplicitAny: the shape of `items` depends on `detail`
export function searchTools(q: string | ({ q: string } & SearchOptions), options: SearchOptions = {}): Promise<any> {
  return $discover('search_tools', typeof q === 'string' ? { ...options, q } : q);
}

/** One tool with its schema, signature and an example: `getTool('filesystem', 'read_text_file')` or `getTool('filesystem.read_text_file')`. */
// biome-ignore lint/suspicious/noExplicitAny: schemas are foreign
export function getTool(server: string, tool?: string): Promise<any> {
  if (tool !== undefined) return $discover('get_tool', { server, tool });
  const dot = server.indexOf('.');
  return $discover('get_tool', dot < 0 ? { server } : { server: server.slice(0, dot), tool: server.slice(dot + 1) });
}
