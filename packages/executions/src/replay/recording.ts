import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DiscoveryOperation, ExecutionEvent, ToolCallReply } from '@code-executor/contracts';
import type { CallJournal, Determinism } from '@code-executor/sandbox';
import type { ToolCallOutcome } from '../port.ts';
import { argumentDigest, CHECKPOINT_LIMIT_BYTES, type Checkpoint, type RecordedCall } from './checkpoint.ts';
import { sizeWithin } from './size-within.ts';

export interface Recording {
  /** What the program's world is made from. */
  readonly determinism: Determinism;
  /** Answers from the record, or makes the call and records it. */
  call(
    callNumber: number,
    call: { readonly tool: string; readonly args: unknown; readonly journal?: CallJournal | undefined },
    make: () => Promise<ToolCallOutcome>,
  ): Promise<ToolCallOutcome>;
  /** The call was answered when this was recorded: it is in the log already. */
  isKnown(callNumber: number): boolean;
  ask(operation: DiscoveryOperation, params: unknown, make: () => Promise<ToolCallReply>): Promise<ToolCallReply>;
  /** What of a text is new. */
  output(text: string): string;
  /** null: it cannot be replayed. */
  checkpoint(events: readonly ExecutionEvent[], waitsFor: readonly string[]): string | null;
  /** Why the program, which has ended, did not do what was recorded; null: it did. */
  leftOver(): string | null;
}

/** What is compared, letter by letter, of what was printed; of more than that the length is. */
const COMPARED_UNITS = 64 * 1024;
/** Answers come one by one, as they did: what follows from one is to happen before the next is there. */
const BETWEEN_ANSWERS_MS = 2;

interface Entry {
  readonly tool: string;
  readonly digest: string;
  answer: RecordedCall['answer'];
}

/** What a session holds is not in the program's text, and Node's runner does not say what its clocks said. */
export const mayReplay = ({ language, sessionId }: { readonly language: string; readonly sessionId?: string | undefined }): boolean =>
  language !== 'node' && sessionId === undefined;

/** What makes a program's randomness: 32 bytes in hexadecimal. */
export const newSeed = (): string => randomBytes(32).toString('hex');

/**
 * Remembers what an execution was told, within bounds, in case it has to be told again; and where it runs for the second time,
 * tells it. `onDiverged` is called with what it did otherwise, `onUnanswered` where a call was made whose answer nobody has.
 */
export function createRecording(
  options: { readonly isReplayable: boolean; readonly past: Checkpoint | null; readonly seed?: string | undefined },
  { onDiverged, onUnanswered }: { onDiverged(what: string): void; onUnanswered(): void },
  signal: AbortSignal,
): Recording {
  const { past } = options;
  const seed = past?.seed ?? options.seed ?? newSeed();
  const clock: Record<string, number[]> = {};
  const calls: Entry[] = [];
  const questions: Entry[] = [];
  const turns = createTurns(past);
  let isReplayable = options.isReplayable;
  let budget = CHECKPOINT_LIMIT_BYTES;
  let answers = past === null ? 0 : turns.count;
  /** How far the program has come, be it kept or not. */
  let made = 0;
  let asked = 0;
  let printed = 0;
  let head = '';

  return {
    determinism: { seed, clock: past?.clock },
    isKnown: (callNumber) => (past?.calls[callNumber - 1]?.answer ?? null) !== null,
    async call(callNumber, { tool, args, journal }, make) {
      note(journal);
      const known = past?.calls[callNumber - 1];
      const entry: Entry = { tool, digest: isReplayable ? argumentDigest(args) : '', answer: null };
      calls[callNumber - 1] = entry;
      made = Math.max(made, callNumber);
      if (known !== undefined && (known.tool !== entry.tool || known.digest !== entry.digest)) {
        return diverged(`call ${callNumber} was ${known.tool}, and is ${tool}${known.tool === tool ? ' with other arguments' : ''}`);
      }
      if (known?.answer) {
        entry.answer = known.answer;
        await turns.reached(known.answer.order);
        return known.answer;
      }
      const began = performance.now();
      const outcome = await make();
      if (known !== undefined && !outcome.reply.ok && outcome.reply.error.code === 'CALL_REPEATED') {
        onUnanswered();
        return { ...outcome, effects: 'unknown' };
      }
      keep(entry, outcome, performance.now() - began);
      return outcome;
    },

    async ask(operation, params, make) {
      const known = past?.questions[asked];
      asked += 1;
      const entry: Entry = { tool: operation, digest: isReplayable ? argumentDigest(params) : '', answer: null };
      questions.push(entry);
      if (known !== undefined && (known.tool !== entry.tool || known.digest !== entry.digest))
        return diverged(`question ${asked} to the catalog is another one`).reply;
      if (known?.answer) {
        entry.answer = known.answer;
        await turns.reached(known.answer.order);
        return known.answer.reply;
      }
      const reply = await make();
      keep(entry, { reply, effects: 'none' }, 0);
      return reply;
    },

    output(text) {
      const from = printed;
      printed += text.length;
      if (head.length < COMPARED_UNITS) head += text.slice(0, COMPARED_UNITS - head.length);
      if (past === null || from >= past.output.length) return text;
      const comparable = Math.min(head.length, past.output.head.length);
      if (head.slice(0, comparable) !== past.output.head.slice(0, comparable)) {
        diverged('it prints something else');
        return '';
      }
      return text.slice(past.output.length - from);
    },

    checkpoint(events, waitsFor) {
      if (!isReplayable || hasGaps(events)) return null;
      const kept = events.filter(({ type }) => type !== 'ended');
      const output = {
        length: Math.max(printed, past?.output.length ?? 0),
        head: head.length < (past?.output.head.length ?? 0) ? (past?.output.head ?? '') : head,
      };
      const text = JSON.stringify({
        version: 1,
        seed,
        clock,
        calls,
        questions,
        output,
        events: kept,
        waitsFor: [...waitsFor],
      } satisfies Checkpoint);
      return text.length > CHECKPOINT_LIMIT_BYTES ? null : text;
    },

    leftOver() {
      if (past === null) return null;
      if (made < past.calls.length) return `it ended before it made call ${made + 1}`;
      return printed < past.output.length ? 'it printed less' : null;
    },
  };

  function note(journal: CallJournal | undefined): void {
    if (journal === undefined) return;
    if (journal.tainted !== undefined) isReplayable = false;
    for (const [name, values] of Object.entries(journal.clock)) {
      budget -= values.length * 18;
      const list = clock[name] ?? [];
      list.push(...values);
      clock[name] = list;
    }
  }

  function keep(entry: Entry, { reply, effects }: ToolCallOutcome, durationMs: number): void {
    budget -= isReplayable ? sizeWithin(reply, budget) + 300 : 0;
    if (budget < 0) {
      // What was kept is of no use without the rest.
      isReplayable = false;
      calls.length = 0;
      questions.length = 0;
    }
    if (isReplayable) entry.answer = { reply, effects, durationMs: Math.round(durationMs * 1_000) / 1_000, order: answers };
    answers += 1;
  }

  function diverged(what: string): ToolCallOutcome {
    onDiverged(what);
    return { reply: { ok: false, error: { code: 'REPLAY_DIVERGED', message: what } }, effects: 'none' };
  }

  /** Resolves answers in the order in which they came. */
  function createTurns(from: Checkpoint | null) {
    const count = [...(from?.calls ?? []), ...(from?.questions ?? [])].filter(({ answer }) => answer !== null).length;
    const waiting = new Map<number, () => void>();
    let next = 0;
    return {
      count,
      async reached(order: number): Promise<void> {
        if (order > next) {
          await new Promise<void>((resolve) => {
            waiting.set(order, resolve);
            signal.addEventListener('abort', () => resolve(), { once: true });
          });
        }
        await sleep(BETWEEN_ANSWERS_MS);
        next = Math.max(next, order + 1);
        waiting.get(next)?.();
      },
    };
  }
}

function hasGaps(events: readonly ExecutionEvent[]): boolean {
  return events.some(({ id }, index) => id !== index + 1);
}
