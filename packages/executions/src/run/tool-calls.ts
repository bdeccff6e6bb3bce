import type { Effects, ToolCallReply, ToolCallSummary } from '@code-executor/contracts';
import type { CallJournal } from '@code-executor/sandbox';
import type { ExecutionGrant, ToolPort } from '../port.ts';
import type { Recording } from '../replay/recording.ts';
import type { Pauses } from './pauses.ts';

/** An upstream that does not let go of an aborted call holds the answer up for no longer. */
const SETTLE_MS = 2_000;

export interface ToolCalls {
  call(call: { readonly tool: string; readonly args: unknown; readonly journal?: CallJournal | undefined }): Promise<ToolCallReply>;
  /** Aborts what is under way and waits, bounded, until it is known what became of it. `isLetGo`: it goes on elsewhere, and is not summed up. */
  settle(isLetGo?: boolean): Promise<void>;
  effects(): Exclude<Effects, 'not_started'>;
  /** In the order the calls were issued. */
  summaries(): ToolCallSummary[];
}

/** Made once: an abort without a reason makes a DOMException with its stack each time. */
const SETTLED = new Error('the execution has ended');

/** The tool calls of one execution: numbered, summed up, and answered through the tool port in its name. Their budget is the sandbox's. */
export function trackToolCalls(
  tools: Pick<ToolPort, 'callTool'>,
  grant: ExecutionGrant,
  pauses: Pauses,
  recording: Recording,
  onSummary: (summary: ToolCallSummary) => void,
): ToolCalls {
  const abort = new AbortController();
  const underWay = new Set<Promise<unknown>>();
  const summaries: (ToolCallSummary | { readonly tool: string; readonly startedMs: number })[] = [];
  let effects: Exclude<Effects, 'not_started'> = 'none';
  let settled = false;

  return {
    async call({ tool, args, journal }) {
      if (settled) return { ok: false, error: { code: 'CALL_ABORTED', message: `The execution ended before ${tool} was called.` } };
      const callNumber = summaries.length + 1;
      const startedMs = performance.now();
      summaries.push({ tool, startedMs });
      const issue = (approvalId?: string) => tools.callTool(grant, { callNumber, tool, args, approvalId }, abort.signal);
      const answered = recording.call(callNumber, { tool, args, journal }, () => pauses.through(issue, abort.signal));
      underWay.add(answered);
      try {
        const { reply, effects: caused } = await answered;
        effects = worse(effects, caused);
        const outcome = { tool, outcome: reply.ok ? 'ok' : reply.error.code, durationMs: elapsedMs(startedMs) };
        if (recording.isKnown(callNumber)) summaries[callNumber - 1] = outcome;
        else if (!settled) note(callNumber, outcome);
        return reply;
      } finally {
        underWay.delete(answered);
      }
    },
    async settle(isLetGo = false) {
      abort.abort(SETTLED);
      if (underWay.size > 0) await allSettledWithin(underWay, SETTLE_MS);
      if (underWay.size > 0) effects = 'unknown';
      settled = true;
      if (isLetGo) return;
      for (const [index, entry] of summaries.entries()) {
        if ('startedMs' in entry) {
          note(index + 1, { tool: entry.tool, outcome: 'CALL_ABORTED', durationMs: elapsedMs(entry.startedMs) });
        }
      }
    },
    effects: () => effects,
    summaries: () => summaries.filter((entry): entry is ToolCallSummary => 'outcome' in entry),
  };

  function note(callNumber: number, summary: ToolCallSummary): void {
    summaries[callNumber - 1] = summary;
    onSummary(summary);
  }
}

const RANK = { none: 0, some: 1, unknown: 2 } as const;
type Caused = keyof typeof RANK;
const worse = (left: Caused, right: Caused): Caused => (RANK[left] >= RANK[right] ? left : right);

const elapsedMs = (startedMs: number): number => Math.round((performance.now() - startedMs) * 1000) / 1000;

async function allSettledWithin(promises: Iterable<Promise<unknown>>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const bound = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  try {
    await Promise.race([Promise.allSettled(promises), bound]);
  } finally {
    clearTimeout(timer);
  }
}
