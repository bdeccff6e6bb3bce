import type { OutboundHttp } from '../outbound/port.ts';

/** What an MCP server says of itself. */
export interface McpGreeting {
  readonly why: string;
  readonly title: string;
}

const ANSWER_LIMIT_BYTES = 256 * 1024;
const TIMEOUT_MS = 8_000;
const INITIALIZE = {
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'code-executor', version: '0.1.0' } },
};

/** Asks an address for an MCP session, and ends it again. Null: what answers there is no MCP server. @throws what `fetch` throws. */
export async function probeMcp(url: string, http: OutboundHttp, outer: AbortSignal): Promise<McpGreeting | null> {
  const signal = AbortSignal.any([outer, AbortSignal.timeout(TIMEOUT_MS)]);
  const response = await http.fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
    body: JSON.stringify(INITIALIZE),
    signal,
  });
  try {
    // RFC 9728: a protected MCP server says where its authorization server is described.
    if (response.status === 401 && response.headers.get('www-authenticate')?.includes('resource_metadata'))
      return { why: 'MCP server that wants authorization', title: new URL(url).host };
    if (!response.ok) return null;
    return greetingIn(await firstAnswer(response), url);
  } finally {
    await response.body?.cancel().catch(() => undefined);
    await endSession(url, response.headers.get('mcp-session-id'), http, signal);
  }
}

/** The first event of the older transport (HTTP with SSE), as a GET brings it. */
export const isMcpEventStream = (contentType: string, text: string): boolean =>
  contentType.startsWith('text/event-stream') && /^event:\s*endpoint\s*$/m.test(text);

async function firstAnswer(response: Response): Promise<string> {
  const reader = response.body?.getReader();
  const decoder = new TextDecoder();
  const isStream = response.headers.get('content-type')?.startsWith('text/event-stream') ?? false;
  let text = '';
  try {
    while (reader !== undefined && text.length < ANSWER_LIMIT_BYTES) {
      const { done, value } = await reader.read();
      if (done) break;
      text += decoder.decode(value, { stream: true });
      if (isStream && /^data:.*serverInfo.*\n/m.test(text)) break;
    }
  } finally {
    reader?.releaseLock();
  }
  return isStream ? (/^data:\s*(\{.*serverInfo.*\})\s*$/m.exec(text)?.[1] ?? '') : text;
}

function greetingIn(text: string, url: string): McpGreeting | null {
  try {
    const answer: unknown = JSON.parse(text);
    if (typeof answer !== 'object' || answer === null || !('result' in answer)) return null;
    const { result } = answer;
    if (typeof result !== 'object' || result === null || !('protocolVersion' in result) || !('serverInfo' in result)) return null;
    const { serverInfo, protocolVersion } = result;
    const name = typeof serverInfo === 'object' && serverInfo !== null && 'name' in serverInfo ? String(serverInfo.name) : '';
    return { why: `MCP ${String(protocolVersion).slice(0, 20)}`, title: name.slice(0, 200) || new URL(url).host };
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

/** A session that nobody uses would stay open upstream. That it could not be ended changes nothing of what was found. */
async function endSession(url: string, sessionId: string | null, http: OutboundHttp, signal: AbortSignal): Promise<void> {
  if (sessionId === null || signal.aborted) return;
  await http
    .fetch(url, { method: 'DELETE', headers: { 'mcp-session-id': sessionId }, signal })
    .then((response) => response.body?.cancel())
    .catch(() => undefined);
}
