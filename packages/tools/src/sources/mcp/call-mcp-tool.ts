import { McpError, ErrorCode as McpErrorCode } from '@modelcontextprotocol/sdk/types.js';
import type { CallOccasion, PreparedCall, Source, UpstreamAnswer } from '../source.ts';
import type { CallSession, McpConnections } from './mcp-connections.ts';
import type { McpServer } from './mcp-server.ts';
import { messageWithCause } from './mcp-session.ts';
import { failure, replyOf, scrubbedText, wholeReplyOf } from './reply-value.ts';
import { bothScrubs, type Scrub } from './secrets.ts';
import { printable } from './stderr-log.ts';
import { OVERSIZED_REPLY_CODE } from './stdio-transport.ts';

/** For what goes to the program, and for what goes to people. */
export interface McpScrub {
  readonly reply: Scrub;
  readonly message: Scrub;
}

/** A supervised MCP server as the source of its tools. */
export function mcpSource(server: McpServer, scrub: McpScrub, connections: McpConnections): Source {
  const { entry } = server;
  return {
    slug: entry.slug,
    kind: 'mcp',
    transport: entry.transport.kind,
    lazy: entry.lazy,
    callTimeoutMs: entry.callTimeoutMs,
    readOnlyTools: entry.readOnlyTools,
    connected: connections.connected,
    state: server.state,
    start: server.start,
    settled: server.settled,
    async up(signal) {
      await server.session(signal);
    },
    prepare: (occasion, signal) => prepare({ server, scrub, connections }, occasion, signal),
    connectionsChanged: connections.changed,
    relist: (signal) => server.relist(signal),
    async stop() {
      await Promise.all([server.stop(), connections.close()]);
    },
  };
}

async function prepare(
  { server, scrub: own, connections }: { readonly server: McpServer; readonly scrub: McpScrub; readonly connections: McpConnections },
  occasion: CallOccasion,
  signal: AbortSignal,
): Promise<PreparedCall> {
  const { slug, callTimeoutMs } = server.entry;
  const { name } = occasion.entry.tool;
  const way = await connections.sessionFor(occasion, signal);
  const scrub: McpScrub = { reply: bothScrubs(way.scrub, own.reply), message: bothScrubs(way.scrub, own.message) };
  const address = `${slug}.${name}`;
  return {
    async send(call, callSignal) {
      try {
        const result = await way.session.call({ ...call, name, timeoutMs: callTimeoutMs }, callSignal);
        const read = call.wholeAnswer === true ? wholeReplyOf : replyOf;
        return { ...read(address, result, scrub.reply), isAnswered: true };
      } catch (error) {
        return answerWithoutResult(error, address, { server, scrub, lost: way.lost }, callSignal);
      }
    },
  };
}

/** What a dispatched call without a result comes to, and whether the server has answered it at all. */
function answerWithoutResult(
  error: unknown,
  address: string,
  { server, scrub, lost: drop }: { readonly server: McpServer; readonly scrub: McpScrub; readonly lost: CallSession['lost'] },
  signal: AbortSignal,
): UpstreamAnswer {
  const { slug, callTimeoutMs } = server.entry;
  const said = printable(scrubbedText(messageWithCause(error), scrub.message), 1_000);
  const lost = (code: string, message: string): UpstreamAnswer => ({
    reply: failure(code, message, { server: slug, tool: address }),
    bytes: 0,
    isAnswered: false,
  });
  const answered = (code: string, message: string, details: object): UpstreamAnswer => ({
    reply: failure(code, message, { tool: address, ...details }),
    bytes: 0,
    isAnswered: true,
  });
  if (signal.aborted) return lost('CALL_ABORTED', `${address} was cancelled: the execution ended before it answered`);
  if (error instanceof McpError) {
    switch (error.code) {
      case McpErrorCode.RequestTimeout:
        return lost('TOOL_TIMEOUT', `${address} did not answer within ${callTimeoutMs / 1000} s; whether it acted is unknown`);
      case McpErrorCode.ConnectionClosed:
        return lost('UPSTREAM_LOST', `${slug} went away during the call of ${address}; whether it acted is unknown`);
      case OVERSIZED_REPLY_CODE:
        return answered('REPLY_TOO_LARGE', `The reply of ${address} is larger than 8 MB. Ask the tool for less`, {});
      default:
        return answered('TOOL_FAILED', said.replace(/^MCP error -?\d+: /, ''), { upstreamCode: error.code });
    }
  }
  // Not the protocol's error: the connection's. An HTTP session has no other way to say that it is gone.
  drop(said);
  return lost('UPSTREAM_LOST', `${slug} could not be reached for ${address}: ${said}; whether it acted is unknown`);
}
