/**
 * Frames between the service and the runner: 4 bytes big-endian payload length, 1 byte type, payload (UTF-8 JSON).
 * Everything that comes from inside is hostile input.
 */
export const FRAME = {
  /** ← `{}` the runtime is up and waits for one program. */
  READY: 1,
  /** → RunPayload. Exactly one. */
  RUN: 2,
  /** ← `{id, tool, args, journal?}` one tool call; `tool` is `server.tool`. */
  CALL: 3,
  /** → `{id, ok: true, value}` or `{id, ok: false, error: {code, message, details?}}`; answers CALL and DISCOVER. */
  REPLY: 4,
  /** ← the result as raw JSON text; an empty payload means the program ended without one. Terminal. */
  RESULT: 5,
  /** ← `{code, message, stack?, line?, column?}`. Terminal. */
  FAILURE: 6,
  /** ← `{id, op, params}` a discovery question. */
  DISCOVER: 7,
  /** ← `{promisesResult}` sent by the runner before the program's first line runs. */
  STARTED: 8,
  /** → nothing. A held program may run now. */
  GO: 9,
} as const;
export type FrameType = (typeof FRAME)[keyof typeof FRAME];

/** Payload of RUN. */
export interface RunPayload {
  /** What the runtime executes: for TypeScript the prepared module, for Python the program as it came. */
  readonly code: string;
  readonly args: Readonly<Record<string, unknown>>;
  /** Relative path below /workspace → text. Checked by the service beforehand. */
  readonly files: Readonly<Record<string, string>>;
  /** TypeScript: whether the prepared module exports a result. Python's runner finds out itself. */
  readonly promisesResult: boolean;
  readonly resultLimitBytes: number;
  /** Of a session: the name in /workspace of the socket by which the runner finds its next program's channel once this one is closed. */
  readonly nextChannel?: string | undefined;
  /** Absent: the program is never repeated, and its clocks and randomness are the machine's. */
  readonly determinism?: Determinism | undefined;
  /**
   * The runner makes everything ready and runs no line of the program before GO. `import`: loading its module runs none of them, so
   * TypeScript's runner does that ahead too.
   */
  readonly held?: 'all' | 'import' | undefined;
}

/** What makes a second run of a program see what its first saw. */
export interface Determinism {
  /** 32 random bytes in hexadecimal. */
  readonly seed: string;
  /** What each clock said, in order; absent: this is the first run. */
  readonly clock?: Readonly<Record<string, readonly number[]>> | undefined;
}

export interface Frame {
  readonly type: number;
  readonly payload: Buffer;
}

/** Caps on frames from inside, by type; a longer one is a violation and is not buffered. */
export interface FrameCaps {
  readonly callBytes: number;
  readonly resultBytes: number;
  readonly otherBytes: number;
}

export type FrameViolation = { readonly reason: 'frame_too_large' | 'unknown_type'; readonly type: number; readonly bytes: number };

/** The service's end of one sandbox's channel. One reader. */
export interface FrameChannel {
  send(type: FrameType, payload: string | Buffer): void;
  /** Handlers are set once, by whoever runs the program. Frames that arrived before are delivered then. */
  listen(handlers: { onFrame(frame: Frame): void; onViolation(violation: FrameViolation): void; onClose(): void }): void;
  /** Bytes accepted by `send` and not yet taken by the sandbox. */
  readonly pendingBytes: number;
  close(): void;
}
