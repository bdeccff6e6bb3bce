import { FRAME, type Frame, type FrameViolation } from '../channel/frame-channel.ts';
import { readCall, readDiscover, readFailure, readStarted } from './frame-payloads.ts';
import type { Ending } from './judge-end.ts';
import type { PositionMap } from './position-map.ts';
import type { ToolCallGate } from './tool-call-gate.ts';

/** Why a program ended. */
export interface Reason extends Ending {
  /** The runner itself said so, after the program's last output. */
  readonly terminalFrame?: boolean;
  /** Payload of RESULT: not checked, empty where the program had none. */
  readonly resultBytes?: Buffer;
}

export interface FrameHandler {
  onFrame(frame: Frame): void;
  onViolation(violation: FrameViolation): void;
  /** What STARTED said; null while it has not come. */
  started(): boolean | null;
  violations(): number;
}

/** More are no accident; fewer do no harm. */
const VIOLATIONS_MAXIMUM = 100;

/** Judges every frame of one program. What breaks the protocol is counted and otherwise ignored; the runner sends nothing of the kind. */
export function createFrameHandler(
  gate: ToolCallGate,
  positions: PositionMap,
  end: (reason: Reason) => void,
  ended: AbortSignal,
): FrameHandler {
  let promisesResult: boolean | null = null;
  let violations = 0;
  const fail = (code: string, message: string): void => end({ status: 'failed', error: { code, message } });

  const accept = ({ type, payload }: Frame): boolean => {
    switch (type) {
      case FRAME.CALL: {
        const call = readCall(payload);
        return call !== null && gate.call(call, payload.length);
      }
      case FRAME.DISCOVER: {
        const question = readDiscover(payload);
        return question !== null && gate.discover(question);
      }
      case FRAME.STARTED: {
        const started = readStarted(payload);
        if (started === null || promisesResult !== null) return false;
        promisesResult = started.promisesResult;
        return true;
      }
      case FRAME.RESULT:
        end({ status: 'succeeded', error: null, terminalFrame: true, resultBytes: payload });
        return true;
      case FRAME.FAILURE: {
        const error = readFailure(payload, positions) ?? { code: 'UNCAUGHT', message: 'The program failed and did not say how.' };
        end({ status: 'failed', error, terminalFrame: true });
        return true;
      }
      default:
        return false;
    }
  };

  return {
    onFrame(frame) {
      if (!ended.aborted && accept(frame)) return;
      violations += 1;
      if (violations > VIOLATIONS_MAXIMUM) fail('SANDBOX_CRASHED', 'The program broke the rules of its tool channel too often.');
    },
    onViolation({ type, bytes, reason }) {
      violations += 1;
      if (type === FRAME.RESULT) end(tooLargeResult(bytes));
      else fail('SANDBOX_CRASHED', `The program sent a frame that its tool channel does not take (${reason}).`);
    },
    started: () => promisesResult,
    violations: () => violations,
  };
}

export function tooLargeResult(bytes: number, limitBytes?: number): Ending {
  const allowed = limitBytes === undefined ? 'fewer' : String(limitBytes);
  return {
    status: 'failed',
    error: { code: 'RESULT_TOO_LARGE', message: `The result takes ${bytes} bytes as JSON; ${allowed} are allowed.` },
  };
}
