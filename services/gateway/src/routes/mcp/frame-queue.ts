/** Beyond so much text that its reader has not taken, what may be left out is left out. */
const PENDING_LIMIT = 1024 * 1024;
const HEARTBEAT = ': heartbeat\n\n';

/** The text of an event stream on its way to a reader, who is slower or faster than what fills it. */
export interface FrameQueue extends AsyncIterable<string> {
  /** `optional`: progress and log lines, which a reader that does not read misses. */
  push(frame: string, optional: boolean): void;
  end(): void;
}

/** `mayGoOn` is asked with each heartbeat; false ends the stream. So does the signal. */
export function createFrameQueue(options: {
  readonly heartbeatMs: number;
  readonly signal: AbortSignal;
  readonly mayGoOn: () => Promise<boolean>;
}): FrameQueue {
  const frames: string[] = [];
  let pending = 0;
  let ended = false;
  let wake: (() => void) | null = null;
  const rouse = () => {
    wake?.();
    wake = null;
  };

  return {
    push(frame, optional) {
      if (ended || (optional && pending + frame.length > PENDING_LIMIT)) return;
      frames.push(frame);
      pending += frame.length;
      rouse();
    },
    end() {
      ended = true;
      rouse();
    },
    async *[Symbol.asyncIterator]() {
      let due = false;
      const timer = setInterval(() => {
        due = true;
        rouse();
      }, options.heartbeatMs);
      options.signal.addEventListener('abort', rouse, { once: true });
      try {
        for (;;) {
          for (let frame = frames.shift(); frame !== undefined; frame = frames.shift()) {
            pending -= frame.length;
            yield frame;
          }
          if (ended || options.signal.aborted) return;
          if (due) {
            due = false;
            if (!(await options.mayGoOn())) return;
            yield HEARTBEAT;
            continue;
          }
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
      } finally {
        clearInterval(timer);
        options.signal.removeEventListener('abort', rouse);
      }
    },
  };
}
