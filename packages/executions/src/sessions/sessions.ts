import type { Readable } from 'node:stream';
import type { Principal } from '@code-executor/contracts';

export interface SessionSummary {
  readonly sessionId: string;
  readonly language: string;
  readonly status: 'idle' | 'busy';
  readonly createdAt: string;
  /** When it ends unless it is used; null while it is. */
  readonly expiresAt: string | null;
  readonly executions: number;
}

export interface SessionFile {
  readonly path: string;
  readonly bytes: number;
}

/** What the gateway asks of sessions: a principal reaches its own and no others. Files are reached between two executions. */
export interface Sessions {
  list(principal: Principal): Promise<SessionSummary[]>;
  /** Throws SESSION_NOT_FOUND or SESSION_BUSY, as do the others. */
  end(principal: Principal, sessionId: string): Promise<void>;
  files(principal: Principal, sessionId: string): Promise<SessionFile[]>;
  /** Throws FILE_NOT_FOUND. The stream is the caller's. */
  readFile(principal: Principal, sessionId: string, path: string): Promise<{ readonly bytes: number; readonly content: Readable }>;
  /** Throws FILE_TOO_LARGE. What was there before stays until all of it has come. */
  writeFile(principal: Principal, sessionId: string, path: string, content: Readable): Promise<SessionFile>;
}
