import type { LedgerEntry } from './ledger-server.ts';
import type { SeenExecution, Story } from './run-program.ts';

/** Outcomes of a call of which nobody knows whether the tool has acted. */
const UNANSWERED: ReadonlySet<string> = new Set(['UPSTREAM_LOST', 'TOOL_TIMEOUT', 'CALL_ABORTED']);

export interface Verdict {
  readonly executions: number;
  readonly byStatus: Readonly<Record<string, number>>;
  readonly byError: Readonly<Record<string, number>>;
  readonly lost: readonly string[];
  readonly doubledExecutions: readonly string[];
  readonly doubledCalls: readonly string[];
  readonly untruthful: readonly string[];
  readonly brokenLogs: readonly string[];
  readonly otherProblems: readonly string[];
  readonly calls: number;
  /** `unknown` where an answer is missing; `complete`: all of its writes were in the ledger in truth. */
  readonly unknown: { readonly count: number; readonly complete: number };
}

/** One execution from the outside: what its client met, what the API says of it at the very end, what the ledger has. */
export interface Evidence {
  readonly story: Story;
  /** null: it is not there. */
  readonly final: SeenExecution | null;
  readonly writes: readonly LedgerEntry[];
  /** How often a worker has claimed it. Nothing here is paused, so that a second claim is a second run. */
  readonly claims: number;
}

export function judge(evidence: readonly Evidence[], ledger: readonly LedgerEntry[], listed: readonly string[]): Verdict {
  const untruthful: string[] = [];
  const lost: string[] = [];
  const doubledExecutions: string[] = [];
  const brokenLogs: string[] = [];
  const otherProblems: string[] = [];
  const unknown = { count: 0, complete: 0 };
  const byStatus: Record<string, number> = {};
  const byError: Record<string, number> = {};

  for (const { story, final, writes, claims } of evidence) {
    const { nonce } = story.program;
    const say = (list: string[], what: string) => list.push(`${nonce} (${[...story.ids].join(', ')}): ${what}`);
    if (story.ids.size > 1) say(doubledExecutions, 'one request, several executions');
    if (claims > 1) say(doubledExecutions, `was claimed ${claims} times`);
    if (final === null || final.endedAt === null || story.seen === null) say(lost, `ended as ${final?.status ?? 'nothing'}`);
    for (const problem of story.problems) say(story.log?.problems.includes(problem) ? brokenLogs : otherProblems, problem);
    if (final === null) continue;
    byStatus[final.status] = (byStatus[final.status] ?? 0) + 1;
    if (final.error !== null) byError[nameOf(final.error)] = (byError[nameOf(final.error)] ?? 0) + 1;
    for (const lie of liesOf(story, final, writes)) say(untruthful, lie);
    for (const fault of faultsOfLog(story, final)) say(brokenLogs, fault);
    if (final.effects === 'unknown') {
      unknown.count += 1;
      if (writes.length === story.program.writes) unknown.complete += 1;
    }
  }

  const known = new Set(evidence.flatMap(({ story }) => [...story.ids]));
  for (const id of listed) if (!known.has(id)) doubledExecutions.push(`${id} is in the history and was told to nobody`);
  const nonces = new Set(evidence.map(({ story }) => story.program.nonce));
  for (const { nonce } of ledger) if (!nonces.has(nonce)) otherProblems.push(`the ledger has a call of nobody: ${nonce}`);
  const doubledCalls = [...Map.groupBy(ledger, callOf).entries()].filter(([, calls]) => calls.length > 1).map(([call]) => call);
  const keys = Map.groupBy(ledger, ({ idempotencyKey }) => idempotencyKey);
  for (const [key, calls] of keys)
    if (key === null || new Set(calls.map(callOf)).size > 1) otherProblems.push(`${calls.length} calls came with the key ${key}`);
  return {
    executions: evidence.length,
    ...{ byStatus, byError, lost, doubledExecutions, doubledCalls, untruthful, brokenLogs, otherProblems, unknown },
    calls: ledger.length,
  };
}

/** What a program has thrown says in its message which failure of a tool it was. */
const nameOf = ({ code, message }: { readonly code: string; readonly message: string }): string =>
  code === 'UNCAUGHT' ? `${code} ${message.slice(0, 80)}` : code;
const callOf = ({ nonce, sequence }: LedgerEntry): string => `${nonce} #${sequence}`;

function liesOf({ program, seen }: Story, final: SeenExecution, writes: readonly LedgerEntry[]): string[] {
  const lies: string[] = [];
  const { status, effects, toolCalls, error } = final;
  const written = new Set(writes.map(({ sequence }) => sequence)).size;
  const ok = toolCalls.filter(({ outcome }) => outcome === 'ok').length;
  const unanswered = toolCalls.filter(({ outcome }) => UNANSWERED.has(outcome)).length;
  const claim = `${status}/${error?.code ?? 'no error'}, effects ${effects}, ${ok} calls ok, ${unanswered} unanswered; the ledger has ${written} of ${program.writes}`;
  if (seen !== null && (seen.status !== status || seen.effects !== effects))
    lies.push(`its end was first told as ${seen.status}/${seen.effects}: ${claim}`);
  if (seen !== null && toldOf(seen) !== toldOf(final)) lies.push(`first told as ${toldOf(seen)}, and then as ${toldOf(final)}`);
  if (status === 'succeeded') {
    if (written !== program.writes || ok !== program.writes) lies.push(`succeeded without its writes: ${claim}`);
    if (effects !== (program.writes === 0 ? 'none' : 'some')) lies.push(`succeeded with wrong effects: ${claim}`);
    if (final.result !== program.nonce || !final.output.endsWith('over\n')) lies.push(`succeeded with another result: ${claim}`);
  }
  if ((effects === 'none' || effects === 'not_started') && written > 0) lies.push(`says that it did nothing: ${claim}`);
  if (effects === 'some' && written === 0) lies.push(`says that it did something: ${claim}`);
  const isLost = error?.code === 'WORKER_LOST';
  if (!isPossible(final)) lies.push(`ended by what cannot have happened to it, ${JSON.stringify(error)}: ${claim}`);
  if (effects === 'unknown' && unanswered === 0 && !isLost) lies.push(`unknown although every answer came: ${claim}`);
  if (effects !== 'unknown' && unanswered > 0) lies.push(`an answer is missing, and its effects are said to be known: ${claim}`);
  // What a lost worker knew of its calls died with it.
  if (ok > written || (!isLost && written > ok + unanswered)) lies.push(`its tool calls are not those of the ledger: ${claim}`);
  return lies;
}

/** What a client goes by. An end is told with a message, and read from its row later: both must say the same. */
function toldOf({ result, output, error, toolCalls }: SeenExecution): string {
  const calls = toolCalls.map(({ tool, outcome }) => `${tool} ${outcome}`);
  return JSON.stringify([result ?? null, output, error?.code, error?.message, calls]);
}

/** The programs are sound and brief: they fail by the loss of their worker, or by a call that has failed. */
function isPossible({ status, error, toolCalls }: SeenExecution): boolean {
  if (status === 'succeeded' || error?.code === 'WORKER_LOST') return true;
  return error?.code === 'UNCAUGHT' && toolCalls.some(({ outcome }) => outcome !== 'ok');
}

function faultsOfLog({ log }: Story, final: SeenExecution): string[] {
  if (log === null) return [];
  const isLost = final.error?.code === 'WORKER_LOST';
  if (log.gone && !isLost) return ['its log was gone although no worker was lost'];
  if (log.complete && !isLost && log.text !== final.output)
    return [`its log has ${JSON.stringify(log.text)}, its record ${JSON.stringify(final.output)}`];
  return [];
}
