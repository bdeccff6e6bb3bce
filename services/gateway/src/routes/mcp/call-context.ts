import type { Principal } from '@code-executor/contracts';
import type { McpSession } from '@code-executor/executions';
import type { JSONRPCNotification, JSONRPCRequest, ProgressToken, RequestId } from '@modelcontextprotocol/server';
import type { StreamPosition } from './stream-position.ts';

/** What everything that answers a request of the endpoint knows of who asks, whichever version of the protocol it speaks. */
export interface McpCaller {
  readonly principal: Principal;
  /** Of the HTTP request, for the log. */
  readonly httpRequestId: string;
  readonly traceparent: string | null;
  /** null: a stateless client. */
  readonly session: McpSession | null;
  readonly mode: 'code' | 'passthrough';
  /** In passthrough: the one server whose tools are passed, under their own names; null: all, as server__tool. */
  readonly server: string | null;
  /** Aborts when nobody is left to hear of this request here, or the service stops. The execution goes on. */
  readonly over: AbortSignal;
  /** Whether the key still holds: it may have been revoked while a program ran. */
  mayGoOn(): Promise<boolean>;
}

/** One tools/call under way. */
export interface ToolCallContext {
  readonly caller: McpCaller;
  readonly requestId: RequestId;
  readonly progressToken: ProgressToken | null;
  /** null: this client wants no log messages. */
  readonly logLevel: string | null;
  /** Aborts when the client cancels the request. */
  readonly cancelled: AbortSignal;
  /** `position`: from where the stream goes on if it breaks after this message; null: it cannot. */
  notify(notification: Omit<JSONRPCNotification, 'jsonrpc'>, position: StreamPosition | null): void;
  /** From here on the stream can be gone on with at any replica. */
  mark(position: StreamPosition): void;
  /** How the client lets a human be asked. */
  readonly elicitation: readonly ('url' | 'form')[];
  /** 2025 versions: sends a request to the client, whose answer comes as a POST of its own. null: this version has another way. */
  readonly ask: ((request: Omit<JSONRPCRequest, 'jsonrpc'>) => void) | null;
  /** 2026 version: what a human answered to what the previous round of this call asked. */
  readonly answers: Readonly<Record<string, unknown>> | null;
  readonly requestState: string | null;
}
