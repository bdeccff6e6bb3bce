import type { Socket } from 'node:net';
import { FRAME, type FrameCaps, type FrameChannel, type FrameType, type FrameViolation } from './frame-channel.ts';
import { createFrameReader } from './frame-reader.ts';

const DEFAULT_FRAME_CAPS: FrameCaps = { callBytes: 1_100_000, resultBytes: 10 * 1024 * 1024, otherBytes: 256 * 1024 };

interface FrameSocketOptions {
  readonly caps?: FrameCaps | undefined;
  /** Called when READY has arrived; what follows it waits, unread, until somebody listens. */
  readonly onReady: () => void;
  /** The socket ended or broke the rules before it was ready. */
  readonly onLost: (reason: string) => void;
  /** Called once, as the program is sent. */
  readonly onRun?: (() => void) | undefined;
}

/** The service's end of a channel, over a connected socket. It owns the socket. */
export function createFrameSocket(socket: Socket, options: FrameSocketOptions): FrameChannel {
  const reader = createFrameReader(options.caps ?? DEFAULT_FRAME_CAPS);
  let handlers: Parameters<FrameChannel['listen']>[0] | null = null;
  let ready = false;
  let over = false;

  const end = (violation: FrameViolation | null): void => {
    if (over) return;
    over = true;
    socket.destroy();
    if (!ready)
      options.onLost(violation === null ? 'the runtime closed its channel' : `the runtime sent a bad frame (${violation.reason})`);
    else if (violation !== null) handlers?.onViolation(violation);
    handlers?.onClose();
  };
  /** Delivers up to `most` frames; false once there is nothing more to deliver for now. */
  const deliver = (most: number): boolean => {
    for (let count = 0; count < most; count += 1) {
      // The rest stays where it is, in the end in the kernel's buffer, which is its bound.
      if (over || (ready && handlers === null)) return false;
      const next = reader.next();
      if (next === null) return false;
      if ('reason' in next) {
        end(next);
      } else if (ready) {
        handlers?.onFrame(next);
      } else if (next.type === FRAME.READY) {
        ready = true;
        options.onReady();
      } else {
        end({ reason: 'unknown_type', type: next.type, bytes: next.payload.length });
      }
    }
    return true;
  };
  const drain = (): void => {
    socket.pause();
    // A flood of small frames takes turns with everything else the service does.
    if (deliver(FRAMES_AT_ONCE)) setImmediate(drain);
    else if (!over && (!ready || handlers !== null)) socket.resume();
  };
  const closed = (): void => {
    // A program may send its result and be gone before the frames ahead of it are through.
    while (deliver(FRAMES_AT_ONCE));
    if (!ready || handlers !== null) end(null);
  };

  socket.on('data', (chunk: Buffer) => {
    reader.push(chunk);
    drain();
  });
  socket.on('error', closed);
  socket.on('end', closed);
  socket.on('close', closed);

  return {
    send(type, payload) {
      if (over || socket.destroyed) return;
      socket.write(frameOf(type, payload));
      if (type === FRAME.RUN) options.onRun?.();
    },
    listen(given) {
      handlers = given;
      if (over) given.onClose();
      else if (socket.destroyed) closed();
      else drain();
    },
    get pendingBytes() {
      return over ? 0 : socket.writableLength;
    },
    close() {
      // Whoever closes knows it: onClose is for ends that come from inside.
      over = true;
      socket.destroy();
    },
  };
}

/** In one piece: a header written apart costs more than copying the payload. */
function frameOf(type: FrameType, payload: string | Buffer): Buffer {
  const bytes = typeof payload === 'string' ? Buffer.byteLength(payload) : payload.length;
  const frame = Buffer.allocUnsafe(HEADER_BYTES + bytes);
  frame.writeUInt32BE(bytes, 0);
  frame.writeUInt8(type, 4);
  if (typeof payload === 'string') frame.write(payload, HEADER_BYTES);
  else payload.copy(frame, HEADER_BYTES);
  return frame;
}

const HEADER_BYTES = 5;
const FRAMES_AT_ONCE = 64;
