import type { ProgramControls } from '@code-executor/sandbox';
import type { HeldExecution } from '../ledger/port.ts';
import type { LiveExecution } from '../live-executions.ts';
import type { ExecutionGrant, ToolCallOutcome, ToolPort } from '../port.ts';
import { EXPIRED, NO_ROOM } from './stop-reason.ts';

/** A grant whose bearer is renewed while its execution waits for a person. */
export type PausableGrant = { -readonly [Field in keyof ExecutionGrant]: ExecutionGrant[Field] };

/** Sandboxes that may be kept frozen at once; each holds up to its memory limit. */
export interface PauseRoom {
  take(): boolean;
  giveBack(): void;
  used(): number;
}

export interface PauseOptions {
  readonly live: Pick<LiveExecution, 'id' | 'log' | 'stop' | 'setPaused'>;
  readonly grant: PausableGrant;
  readonly token: number;
  readonly rows: { setPaused(held: HeldExecution, isPaused: boolean, signal: AbortSignal): Promise<string | undefined> };
  readonly room: PauseRoom;
  readonly whenDecided: ToolPort['whenDecided'];
  readonly onPaused?: ((executionId: string) => void) | undefined;
  readonly now: () => number;
}

export interface Pauses {
  control(controls: ProgramControls): void;
  /**
   * Issues a call; where that needs a decision, everything in the sandbox stands still until it is made, and the call is issued
   * again with it. Never rejects for an aborted signal.
   */
  through(issue: (approvalId?: string) => Promise<ToolCallOutcome>, signal: AbortSignal): Promise<ToolCallOutcome>;
}

const ABANDONED: ToolCallOutcome = {
  reply: {
    ok: false,
    error: { code: 'CALL_ABORTED', message: 'The execution ended before anybody had decided on the call; it was not made.' },
  },
  effects: 'none',
};

export function createPauseRoom(maximum: number): PauseRoom {
  let used = 0;
  return {
    take() {
      if (used >= maximum) return false;
      used += 1;
      return true;
    },
    giveBack() {
      used -= 1;
    },
    used: () => used,
  };
}

/**
 * The pauses of one execution. It is frozen as soon as the first of its calls waits for a person and until none does: what
 * other calls are answered meanwhile lies in their socket. A call is made once it is approved, be others pending or not.
 */
export function createPauses(options: PauseOptions): Pauses {
  const { live, grant, token, rows, room, whenDecided, now } = options;
  const pending = new Set<string>();
  let controls: ProgramControls | null = null;
  let isPaused = false;
  let turn: Promise<void> = Promise.resolve();

  return {
    control(given) {
      controls = given;
    },
    async through(issue, signal) {
      let outcome = await issue();
      while (outcome.approval !== undefined && whenDecided !== undefined && !signal.aborted) {
        const { id } = outcome.approval;
        pending.add(id);
        try {
          await settle(signal);
          await whenDecided(grant, id, signal);
        } catch (error) {
          if (!signal.aborted) throw error;
          return ABANDONED;
        } finally {
          pending.delete(id);
          await settle(signal);
        }
        outcome = await issue(id);
        if (!outcome.reply.ok && outcome.reply.error.code === 'APPROVAL_EXPIRED') live.stop.abort(EXPIRED);
      }
      return outcome;
    },
  };

  /** One change after the other, each to what is right by then. */
  function settle(signal: AbortSignal): Promise<void> {
    turn = turn.then(() => change(signal));
    return turn;
  }

  async function change(signal: AbortSignal): Promise<void> {
    const isWanted = pending.size > 0;
    if (isWanted && isPaused) return;
    if (isWanted && !signal.aborted) return await pause(signal);
    if (!isPaused) return;
    if (!isWanted || signal.aborted) await resume(signal);
  }

  async function pause(signal: AbortSignal): Promise<void> {
    if (!room.take()) {
      live.stop.abort(NO_ROOM);
      return;
    }
    isPaused = true;
    await controls?.pause();
    await renewed(true, signal);
    if (signal.aborted) return;
    live.log.status('paused', new Date(now()));
    live.setPaused(true);
    options.onPaused?.(live.id);
  }

  async function resume(signal: AbortSignal): Promise<void> {
    isPaused = false;
    room.giveBack();
    live.setPaused(false);
    // What has ended is written as such, and its sandbox is gone.
    if (signal.aborted) return;
    await renewed(false, signal);
    live.log.status('running', new Date(now()));
    controls?.resume();
  }

  async function renewed(on: boolean, signal: AbortSignal): Promise<void> {
    const bearer = await rows.setPaused({ executionId: live.id, token }, on, signal);
    if (bearer !== undefined) grant.bearer = bearer;
  }
}
