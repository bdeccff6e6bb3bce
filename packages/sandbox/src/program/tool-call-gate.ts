import type { DiscoveryOperation, ToolCallReply } from '@code-executor/contracts';
import { messageOf } from '@code-executor/platform';
import { FRAME, type FrameChannel } from '../channel/frame-channel.ts';
import type { CallFrame, DiscoverFrame } from './frame-payloads.ts';

/** Limits of one execution (design.md). */
const CALLS_MAXIMUM = 256;
const CALLS_AT_ONCE = 16;
const ARGUMENTS_BYTES = 1024 * 1024;
const REPLY_BYTES = 8 * 1024 * 1024;
/** Questions to the catalog cost no upstream anything, but each takes the service's time. */
const DISCOVERIES_MAXIMUM = 1000;
/** Replies that the program has not read yet: above the first no new call starts, above the second it is ended. */
const UNREAD_PAUSE_BYTES = 16 * 1024 * 1024;
const UNREAD_MAXIMUM_BYTES = 192 * 1024 * 1024;
const UNREAD_POLL_MS = 5;

export interface CallHooks {
  onCall(call: CallFrame & { readonly args: Record<string, unknown> }, signal: AbortSignal): Promise<ToolCallReply>;
  onDiscover(operation: DiscoveryOperation, params: unknown, signal: AbortSignal): Promise<ToolCallReply>;
}

export interface ToolCallGate {
  /** False: the id was used before, or the program does not read its replies; a violation. */
  call(frame: CallFrame, payloadBytes: number): boolean;
  discover(frame: DiscoverFrame): boolean;
}

/** Admits calls within the execution's budget, at most 16 at a time, and answers each by its id. `ended` stops everything. */
export function createToolCallGate(channel: FrameChannel, hooks: CallHooks, ended: AbortSignal): ToolCallGate {
  const seen = new Set<number>();
  const queue: { readonly id: number; readonly act: () => Promise<ToolCallReply> }[] = [];
  let calls = 0;
  let discoveries = 0;
  let running = 0;
  let poll: NodeJS.Timeout | undefined;
  ended.addEventListener('abort', () => {
    clearTimeout(poll);
    queue.length = 0;
  });

  const pump = (): void => {
    while (!ended.aborted && running < CALLS_AT_ONCE) {
      if (queue.length > 0 && channel.pendingBytes > UNREAD_PAUSE_BYTES) {
        clearTimeout(poll);
        poll = setTimeout(pump, UNREAD_POLL_MS);
        return;
      }
      const next = queue.shift();
      if (next === undefined) return;
      running += 1;
      void answered(next);
    }
  };
  const answered = async ({ id, act }: (typeof queue)[number]): Promise<void> => {
    try {
      reply(channel, ended, id, await act());
    } catch (error) {
      if (!ended.aborted) reply(channel, ended, id, refusal('INTERNAL', `The call could not be made: ${messageOf(error)}`));
    } finally {
      running -= 1;
      pump();
    }
  };
  const admit = (id: number, refused: ToolCallReply | null, act: () => Promise<ToolCallReply>): boolean => {
    if (seen.has(id) || channel.pendingBytes > UNREAD_MAXIMUM_BYTES) return false;
    // Refusals are not remembered: their number has no bound.
    if (refused !== null) {
      reply(channel, ended, id, refused);
      return true;
    }
    seen.add(id);
    queue.push({ id, act });
    pump();
    return true;
  };

  return {
    call(frame, payloadBytes) {
      const { args } = frame;
      calls += 1;
      if (calls > CALLS_MAXIMUM) {
        return admit(frame.id, refusal('CALL_LIMIT', `An execution may make ${CALLS_MAXIMUM} tool calls; this was one more.`), never);
      }
      if (payloadBytes > ARGUMENTS_BYTES) {
        const message = `The arguments of ${frame.tool} take ${payloadBytes} bytes; ${ARGUMENTS_BYTES} are allowed.`;
        return admit(frame.id, refusal('ARGUMENTS_TOO_LARGE', message), never);
      }
      if (!isRecord(args)) {
        return admit(
          frame.id,
          refusal('INVALID_ARGUMENTS', `${frame.tool} takes one object of named arguments, at most 127 levels deep.`),
          never,
        );
      }
      return admit(frame.id, null, () => hooks.onCall({ ...frame, args }, ended));
    },
    discover({ id, operation, params }) {
      discoveries += 1;
      if (operation === null) return admit(id, refusal('INVALID_ARGUMENTS', 'There is no such discovery operation.'), never);
      if (discoveries > DISCOVERIES_MAXIMUM) {
        return admit(id, refusal('CALL_LIMIT', `An execution may ask the catalog ${DISCOVERIES_MAXIMUM} times.`), never);
      }
      return admit(id, null, () => hooks.onDiscover(operation, params, ended));
    },
  };
}

function reply(channel: FrameChannel, ended: AbortSignal, id: number, given: ToolCallReply): void {
  if (ended.aborted) return;
  const text = JSON.stringify({ id, ...given });
  const bytes = Buffer.byteLength(text);
  if (bytes <= REPLY_BYTES) {
    channel.send(FRAME.REPLY, text);
    return;
  }
  const message = `The reply takes ${bytes} bytes; ${REPLY_BYTES} are allowed. Ask the tool for less, for example a page or a range.`;
  channel.send(FRAME.REPLY, JSON.stringify({ id, ...refusal('REPLY_TOO_LARGE', message) }));
}

const refusal = (code: string, message: string): ToolCallReply => ({ ok: false, error: { code, message } });

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);

const never = (): Promise<ToolCallReply> => Promise.reject(new Error('A refused call is not made.'));
