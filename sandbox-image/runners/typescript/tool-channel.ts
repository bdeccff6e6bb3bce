import { type Determinism, takeJournal } from './journaled-world.ts';
import { serializeResult } from './serialize-result.ts';

/**
 * The runner's end of the channel: frames of 4 bytes big-endian payload length, 1 byte type, payload (UTF-8 JSON).
 * The same types as `packages/sandbox/src/channel/frame-channel.ts`; the runner imports nothing from the service.
 */
export const FRAME = { READY: 1, RUN: 2, CALL: 3, REPLY: 4, RESULT: 5, FAILURE: 6, DISCOVER: 7, STARTED: 8, GO: 9 } as const;

/** Payload of RUN, as `packages/sandbox` sends it. */
export interface Run {
  readonly code: string;
  readonly args: Record<string, unknown>;
  readonly files: Record<string, string>;
  readonly promisesResult: boolean;
  readonly resultLimitBytes: number;
  /** Of a session: the name, in the workspace, of the socket that the next program comes by once this channel is closed. */
  readonly nextChannel?: string;
  /** Absent: the program is never repeated. */
  readonly determinism?: Determinism;
  /** Everything is made ready, and no line of the program runs before GO; `import`: loading its module runs none of them. */
  readonly held?: 'all' | 'import';
}

/** The connected socket as this runtime reaches it. */
export interface Transport {
  /** Returns when the kernel has taken all bytes. */
  write(bytes: Uint8Array): void;
  /** Starts delivering what arrives, without keeping the event loop alive. Called once. */
  open(onBytes: (bytes: Uint8Array) => void, onClose: () => void): void;
  /** Blocks until GO is there; false: the service closed the channel instead. */
  waitForGo(): boolean;
  /** Keeps the event loop alive, respectively no longer. */
  hold(): void;
  release(): void;
  /** Blocks until the service closes this channel; then waits for another program to come by `path`. Only runtimes that keep sessions. */
  next?(path: string): void;
}

/** What `JSON.stringify` of a call may come to; the service refuses more. */
const ARGUMENTS_LIMIT_BYTES = 1024 * 1024;

const parse = JSON.parse;
const PromiseType = Promise;
const ErrorType = Error;
const ByteArray = Uint8Array;
const EMPTY = new Uint8Array(0);
const decoder = new TextDecoder();
const bind = (method: unknown) => Function.prototype.call.bind(method as () => unknown) as (self: unknown, ...args: unknown[]) => unknown;
const decodeBytes = bind(decoder.decode) as (self: typeof decoder, bytes: Uint8Array) => string;
const copyInto = bind(Uint8Array.prototype.set);
const slice = bind(Uint8Array.prototype.subarray) as (self: Uint8Array, start: number, end?: number) => Uint8Array;
const mapGet = bind(Map.prototype.get);
const mapSet = bind(Map.prototype.set);
const mapDelete = bind(Map.prototype.delete);
const weakGet = bind(WeakMap.prototype.get);
const weakSet = bind(WeakMap.prototype.set);

/** What answers said about themselves, by the value or error that the program got. */
const metas = new WeakMap<object, unknown>();

/** `{ status, links, rateLimit, retryAfterSeconds }` of an answer, as far as it said so; null: nothing is known. */
export const metaOf = (value: unknown): unknown =>
  (typeof value === 'object' && value !== null ? weakGet(metas, value) : undefined) ?? null;

/** What a failing tool call raises. `code` is stable, `details` is the tool's own. */
export class ToolError extends Error {
  readonly code: string;
  readonly details: unknown;
  constructor(code: string, message: string, details?: unknown) {
    super(message);
    this.name = 'ToolError';
    this.code = code;
    this.details = details;
  }
}

interface Reply {
  readonly id: number;
  readonly ok: boolean;
  readonly value?: unknown;
  readonly error?: { readonly code: string; readonly message: string; readonly details?: unknown };
  readonly meta?: unknown;
}

interface Pending {
  readonly origin: Error;
  resolve(value: unknown): void;
  reject(error: Error): void;
}

export interface ToolChannel {
  call(tool: string, args?: unknown): Promise<unknown>;
  discover(operation: string, params?: unknown): Promise<unknown>;
}

export function createToolChannel(transport: Pick<Transport, 'write' | 'open' | 'hold' | 'release'>): ToolChannel {
  const pending = new Map<number, Pending>();
  let lastId = 0;
  let waiting = 0;
  let opened = false;
  let closed = false;
  let parts: Uint8Array[] = [];
  let partCount = 0;
  let unread = 0;
  let wanted = 5;

  function request(type: number, what: string, payload: (id: number) => unknown): Promise<unknown> {
    // Made here, where the caller is still on the stack: an error made when the reply arrives could not say who called.
    const origin = new ErrorType();
    return new PromiseType((resolve, reject) => {
      lastId += 1;
      const id = lastId;
      const written = serializeResult(payload(id), ARGUMENTS_LIMIT_BYTES, what);
      if (!written.ok) {
        const code = written.code === 'RESULT_TOO_LARGE' ? 'ARGUMENTS_TOO_LARGE' : 'INVALID_ARGUMENTS';
        const tooLarge = `The arguments of ${what} exceed ${ARGUMENTS_LIMIT_BYTES} bytes as JSON.`;
        reject(raisedAt(origin, new ToolError(code, code === 'ARGUMENTS_TOO_LARGE' ? tooLarge : written.message)));
        return;
      }
      if (!opened) {
        opened = true;
        transport.open(receive, close);
      }
      if (closed) {
        reject(new ToolError('TOOL_CHANNEL_UNAVAILABLE', 'The tool channel of this execution is closed.'));
        return;
      }
      mapSet(pending, id, { origin, resolve, reject });
      waiting += 1;
      if (waiting === 1) transport.hold();
      transport.write(frame(type, written.bytes));
    });
  }

  /** Joins only once a whole frame is there: a reply of 8 MB comes in more than a hundred pieces. */
  function receive(bytes: Uint8Array): void {
    // Copied, since the transport may reuse its buffer after this call.
    parts[partCount] = joined(bytes, EMPTY);
    partCount += 1;
    unread += bytes.length;
    while (unread >= wanted) {
      let all = wholeOf(parts, partCount, unread);
      if (wanted === 5) wanted = 5 + frameLength(all);
      if (unread >= wanted) {
        const type = all[4];
        const payload = slice(all, 5, wanted);
        all = slice(all, wanted);
        wanted = 5;
        if (type === FRAME.REPLY) settle(parse(decodeBytes(decoder, payload)));
      }
      parts = [all];
      partCount = 1;
      unread = all.length;
    }
  }

  function settle(reply: Reply): void {
    const call = mapGet(pending, reply.id) as Pending | undefined;
    if (call === undefined) return;
    mapDelete(pending, reply.id);
    waiting -= 1;
    if (waiting === 0) transport.release();
    const { ok, value, error, meta } = reply;
    const given = ok ? value : raisedAt(call.origin, new ToolError(error?.code ?? 'INTERNAL', error?.message ?? '', error?.details));
    if (meta !== undefined && typeof given === 'object' && given !== null) weakSet(metas, given, meta);
    if (ok) call.resolve(given);
    else call.reject(given as Error);
  }

  function close(): void {
    closed = true;
    for (const call of pending.values()) {
      call.reject(raisedAt(call.origin, new ToolError('CALL_ABORTED', 'The tool channel closed before the call was answered.')));
    }
    pending.clear();
  }

  return {
    call: (tool, args) =>
      request(FRAME.CALL, tool, (id) => {
        const journal = takeJournal();
        return journal === undefined ? { id, tool, args: args ?? {} } : { id, tool, args: args ?? {}, journal };
      }),
    discover: (op, params) => request(FRAME.DISCOVER, op, (id) => ({ id, op, params: params ?? {} })),
  };
}

/** While nobody waits: has a call written and its answer read, so that the first of a program finds its way compiled. */
export async function warmUpChannel(): Promise<void> {
  let answer = (_: Uint8Array): void => undefined;
  const channel = createToolChannel({
    write: () => answer(jsonFrame(FRAME.REPLY, { id: 1, ok: true, value: {} })),
    open: (onBytes) => {
      answer = onBytes;
    },
    hold: () => undefined,
    release: () => undefined,
  });
  await channel.call('warm.up', { text: 'x' });
}

export function frame(type: number, payload: Uint8Array): Uint8Array {
  const length = payload.length;
  const bytes = new ByteArray(5 + length);
  bytes[0] = length >>> 24;
  bytes[1] = length >>> 16;
  bytes[2] = length >>> 8;
  bytes[3] = length;
  bytes[4] = type;
  copyInto(bytes, payload, 5);
  return bytes;
}

/** For frames of the runner's own. JSON.stringify would ask a toJSON that a program planted. */
export function jsonFrame(type: number, value: unknown): Uint8Array {
  const written = serializeResult(value, OWN_FRAME_BYTES);
  return frame(type, written.ok ? written.bytes : EMPTY);
}

const OWN_FRAME_BYTES = 200 * 1024;

/** The program in the payload of a RUN frame. */
export const parseRun = (payload: Uint8Array): Run => parse(decodeBytes(decoder, payload)) as Run;

/**
 * Blocks until the RUN frame is there; null: the service closed the channel instead. `read` fills the buffer from the offset and says
 * how many bytes came, 0 at the end.
 */
export function readRun(read: (buffer: Uint8Array, offset: number) => number): Run | null {
  const header = new Uint8Array(5);
  if (!fill(read, header) || header[4] !== FRAME.RUN) return null;
  const payload = new Uint8Array(frameLength(header));
  return fill(read, payload) ? parseRun(payload) : null;
}

/** The same for the frame without a payload that a held program waits for. */
export function readGo(read: (buffer: Uint8Array, offset: number) => number): boolean {
  const header = new Uint8Array(5);
  return fill(read, header) && header[4] === FRAME.GO;
}

function fill(read: (buffer: Uint8Array, offset: number) => number, buffer: Uint8Array): boolean {
  for (let offset = 0; offset < buffer.length; ) {
    const count = read(buffer, offset);
    if (count === 0) return false;
    offset += count;
  }
  return true;
}

export const frameLength = (bytes: Uint8Array): number =>
  (((bytes[0] as number) << 24) | ((bytes[1] as number) << 16) | ((bytes[2] as number) << 8) | (bytes[3] as number)) >>> 0;

function wholeOf(parts: readonly Uint8Array[], count: number, length: number): Uint8Array {
  if (count === 1) return parts[0] as Uint8Array;
  const whole = new ByteArray(length);
  for (let index = 0, offset = 0; index < count; index += 1) {
    const part = parts[index] as Uint8Array;
    copyInto(whole, part, offset);
    offset += part.length;
  }
  return whole;
}

export function joined(head: Uint8Array, tail: Uint8Array): Uint8Array {
  const bytes = new ByteArray(head.length + tail.length);
  copyInto(bytes, head, 0);
  copyInto(bytes, tail, head.length);
  return bytes;
}

function raisedAt(origin: Error, error: ToolError): ToolError {
  const stack = origin.stack;
  if (typeof stack === 'string') {
    const frames = stack.indexOf('\n    at ');
    error.stack = `ToolError: ${error.message}${frames === -1 ? '' : stack.slice(frames)}`;
  }
  return error;
}
