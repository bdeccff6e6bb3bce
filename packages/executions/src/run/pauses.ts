import { setImmediate as turnOfTheLoop } from 'node:timers/promises';
import type { Effects } from '@code-executor/contracts';
import type { ProgramControls } from '@code-executor/sandbox';
import type { HeldExecution } from '../ledger/port.ts';
import type { LiveExecution } from '../live-executions.ts';
import type { ExecutionGrant, ToolCallOutcome, ToolPort } from '../port.ts';
import { roundToMicroseconds } from '../round-to-microseconds.ts';
import type { PauseRoom } from './pause-room.ts';
import { EXPIRED, LET_GO, NO_ROOM } from './stop-reason.ts';

/** A grant whose bearer is renewed while its execution waits for a person. */
export type PausableGrant = { -readonly [Field in keyof ExecutionGrant]: ExecutionGrant[Field] };

export interface PauseOptions {
  readonly live: Pick<LiveExecution, 'id' | 'log' | 'stop' | 'setPaused' | 'letGo' | 'waitsFor' | 'computed' | 'pausedEffects'>;
  readonly grant: PausableGrant;
  readonly token: number;
  readonly rows: {
    /** null: it runs again. */
    setPaused(held: HeldExecution, pause: SavedPause | null, signal: AbortSignal): Promise<string | undefined>;
  };
  readonly room: PauseRoom;
  /** After so long the sandbox is let go, where the execution can be replayed. */
  readonly keepMs: number;
  /** What it can be replayed from; null: it cannot. */
  readonly checkpoint: (waitsFor: readonly string[]) => string | null;
  /** What the calls that were answered so far have caused. */
  readonly effects: () => Effects;
  readonly whenDecided: ToolPort['whenDecided'];
  readonly onPaused?: ((executionId: string) => void) | undefined;
  readonly now: () => number;
}

/** What is written of a pause. */
export interface SavedPause {
  readonly checkpoint: string | null;
  /** Approvals. */
  readonly waitsFor: readonly string[];
  /** Compute time so far: the clock stands. */
  readonly executionMs: number;
  /** What has been caused so far; unknown while a call is under way. */
  readonly effects: Effects;
}

export interface Pauses {
  control(controls: ProgramControls): void;
  /**
   * Issues a call; where that needs a decision, everything in the sandbox stands still until it is made, and the call is issued
   * again with it. Never rejects for an aborted signal.
   */
  through(issue: (approvalId?: string) => Promise<ToolCallOutcome>, signal: AbortSignal): Promise<ToolCallOutcome>;
  /** The sandbox is gone. */
  end(): void;
}

const ABANDONED: ToolCallOutcome = {
  reply: {
    ok: false,
    error: { code: 'CALL_ABORTED', message: 'The execution ended before anybody had decided on the call; it was not made.' },
  },
  effects: 'none',
};

/**
 * The pauses of one execution. It is frozen as soon as the first of its calls waits for a person and until none does: what
 * other calls are answered meanwhile lies in their socket. A call is made once it is approved, be others pending or not.
 */
export function createPauses(options: PauseOptions): Pauses {
  const { live, grant, token, rows, room, whenDecided, checkpoint, effects, now } = options;
  const pending = new Set<string>();
  let controls: ProgramControls | null = null;
  let isPaused = false;
  let hasRoom = false;
  /** Calls that are being issued or made. */
  let issuing = 0;
  let isToBeLetGo = false;
  let keepTimer: NodeJS.Timeout | undefined;
  let turn: Promise<void> = Promise.resolve();

  return {
    control(given) {
      controls = given;
    },
    async through(issue, signal) {
      let outcome = await counted(issue, signal);
      while (outcome.approval !== undefined && whenDecided !== undefined && !signal.aborted) {
        const { id } = outcome.approval;
        pending.add(id);
        try {
          await inTurn(() => change(signal));
          await whenDecided(grant, id, signal);
        } catch (error) {
          if (!isOver(signal)) throw error;
          return ABANDONED;
        } finally {
          pending.delete(id);
          // While others are waited for, the row must not go on saying that nothing is under way.
          issuing += 1;
          await inTurn(() => change(signal));
          issuing -= 1;
        }
        // What is decided while its sandbox is being let go is for the replay: the call must not be made for a program that is gone.
        if (isOver(signal)) return ABANDONED;
        outcome = await counted(() => issue(id), signal);
        if (!outcome.reply.ok && outcome.reply.error.code === 'APPROVAL_EXPIRED') live.stop.abort(EXPIRED);
      }
      return outcome;
    },
    end() {
      clearTimeout(keepTimer);
      live.letGo = null;
      giveRoomBack();
    },
  };

  /** Its calls are given up only when its processes are gone; that it is stopped is known before. */
  function isOver(signal: AbortSignal): boolean {
    return signal.aborted || live.stop.signal.aborted;
  }

  async function counted(issue: () => Promise<ToolCallOutcome>, signal: AbortSignal): Promise<ToolCallOutcome> {
    issuing += 1;
    try {
      return await issue();
    } finally {
      issuing -= 1;
      if (isPaused) void inTurn(() => saveAgain(signal));
    }
  }

  function inTurn(act: () => Promise<void>): Promise<void> {
    turn = turn.then(act);
    return turn;
  }

  /** To what is right by now. */
  async function change(signal: AbortSignal): Promise<void> {
    const isWanted = pending.size > 0;
    if (isOver(signal)) return;
    if (isWanted && isPaused) await write(save(), signal);
    else if (isWanted !== isPaused) await (isWanted ? pause(signal) : resume(signal));
  }

  async function pause(signal: AbortSignal): Promise<void> {
    isPaused = true;
    const executionMs = (await controls?.pause()) ?? 0;
    live.computed = { ms: roundToMicroseconds(executionMs), sinceMs: null };
    live.log.status('paused', new Date(now()));
    const saved = save();
    hasRoom = room.take();
    if (!hasRoom && saved.checkpoint === null) {
      live.stop.abort(NO_ROOM);
      return;
    }
    await write(saved, signal);
    if (signal.aborted) return;
    live.setPaused(true);
    live.letGo = letGo;
    options.onPaused?.(live.id);
    if (hasRoom) keepTimer = setTimeout(letGo, options.keepMs);
    else letGo();
  }

  async function resume(signal: AbortSignal): Promise<void> {
    isPaused = false;
    isToBeLetGo = false;
    clearTimeout(keepTimer);
    live.letGo = null;
    giveRoomBack();
    live.setPaused(false);
    await write(null, signal);
    if (signal.aborted) return;
    live.computed = { ms: live.computed.ms, sinceMs: performance.now() };
    live.log.status('running', new Date(now()));
    controls?.resume();
  }

  /** A call was answered while the others wait: what it was answered must not be asked for again. */
  async function saveAgain(signal: AbortSignal): Promise<void> {
    // It is recorded by whoever issued it.
    await turnOfTheLoop();
    if (!isPaused || signal.aborted) return;
    await write(save(), signal);
    if (isToBeLetGo) letGo();
  }

  /** The answers that are still to come would be lost: until they are there, the sandbox is kept. */
  function letGo(): boolean {
    isToBeLetGo = true;
    if (!isPaused || issuing > 0 || save().checkpoint === null) return false;
    live.stop.abort(LET_GO);
    return true;
  }

  function giveRoomBack(): void {
    if (hasRoom) room.giveBack();
    hasRoom = false;
  }

  function save(): SavedPause {
    const waitsFor = [...pending];
    live.waitsFor = waitsFor;
    live.pausedEffects = issuing > 0 ? 'unknown' : effects();
    return { checkpoint: checkpoint(waitsFor), waitsFor, executionMs: live.computed.ms, effects: live.pausedEffects };
  }

  async function write(saved: SavedPause | null, signal: AbortSignal): Promise<void> {
    const bearer = await rows.setPaused({ executionId: live.id, token }, saved, signal);
    if (bearer !== undefined) grant.bearer = bearer;
  }
}
