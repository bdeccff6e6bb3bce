import type { Principal } from '@code-executor/contracts';

/** What a client of the MCP endpoint said of itself when it began its session. */
export interface McpClient {
  readonly name: string;
  readonly version: string;
  /** What it lets the server ask a human: `url` shows an address, `form` fields. */
  readonly elicitation: readonly ('url' | 'form')[];
}

export interface McpSession {
  readonly id: string;
  readonly protocolVersion: string;
  readonly client: McpClient;
  /** As `logging/setLevel` left it; null: it never came. */
  readonly logLevel: string | null;
}

export interface McpRequest {
  readonly sessionId: string;
  readonly requestId: string;
}

/**
 * Sessions of the MCP endpoint. All there is of one lies in the database, so that any replica answers for it. Bounded per
 * principal: one more ends the one that was used longest ago, whose client is then told to begin anew.
 */
export interface McpSessions {
  /** null: as many sessions as there may be in all are there; the client is served without one. */
  begin(principal: Principal, session: Pick<McpSession, 'protocolVersion' | 'client'>): Promise<McpSession | null>;
  /** null: unknown, ended, idle for too long, or another principal's. */
  find(principal: Principal, id: string): Promise<McpSession | null>;
  setLogLevel(principal: Principal, id: string, level: string): Promise<void>;
  /** false: there is none. */
  end(principal: Principal, id: string): Promise<boolean>;
  /** For the replica that answers the request, which looks with `cancelled`. */
  cancelRequest(request: McpRequest): Promise<void>;
  /** Of these, those that were cancelled at another replica; each is told once. */
  cancelled(requests: readonly McpRequest[]): Promise<readonly McpRequest[]>;
}
