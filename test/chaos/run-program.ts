import { setTimeout as sleep } from 'node:timers/promises';
import { ask, type Reply } from '../support/ask.ts';
import { type FollowedLog, followToEnd } from './follow-to-end.ts';
import type { Program } from './programs.ts';

/** An execution as anybody outside sees it. */
export interface SeenExecution {
  readonly executionId: string;
  readonly status: string;
  readonly output: string;
  readonly result: unknown;
  readonly error: { readonly code: string; readonly message: string } | null;
  readonly effects: 'not_started' | 'none' | 'some' | 'unknown';
  readonly toolCalls: readonly { readonly tool: string; readonly outcome: string }[];
  readonly createdAt?: string;
  readonly endedAt?: string | null;
}

/** What one client has met. */
export interface Story {
  readonly program: Program;
  /** All ids that any answer to its key has named; more than one is a doubled execution. */
  readonly ids: Set<string>;
  /** Milliseconds since the epoch. */
  startedAt: number;
  acceptedAt: number | null;
  endedAt: number | null;
  /** Its end as it was told first. */
  seen: SeenExecution | null;
  log: FollowedLog | null;
  /** Answers that were no answer, by code: broken connections, 503. */
  readonly refusals: string[];
  /** What should never be. */
  readonly problems: string[];
}

/** What all clients share. */
export interface Api {
  /** URLs of the gateways. */
  readonly gateways: readonly string[];
  readonly key: string;
}

export interface Patience {
  /** Of one request whose answer is the end of a program. */
  readonly waitMs: number;
  /** From the first try to the end of the execution; above it the execution counts as lost. */
  readonly totalMs: number;
}

const SHORT_MS = 6_000;
const ENDED = new Set(['succeeded', 'failed', 'timed_out', 'cancelled']);

/**
 * A client that does not give up: whatever breaks, it asks the next gateway with the same key. Without one it asks once, and knows of no
 * execution where no answer came: the rows say then what became of it. Never rejects.
 */
export async function runProgram(program: Program, api: Api, patience: Patience): Promise<Story> {
  const story: Story = {
    program,
    ids: new Set(),
    startedAt: Date.now(),
    acceptedAt: null,
    endedAt: null,
    seen: null,
    log: null,
    refusals: [],
    problems: [],
  };
  const deadline = performance.now() + patience.totalMs;
  const submissions = [submit(program.number, story, api, patience, deadline)];
  if (program.twice) submissions.push(submit(program.number + 1, story, api, patience, deadline));
  await Promise.all(submissions);
  const [id] = story.ids;
  if (id === undefined && program.idempotencyKey !== null) story.problems.push('was never accepted');
  else if (id !== undefined && story.seen === null && program.mode === 'follow') {
    story.log = await followToEnd(id, program.number, api, deadline);
    story.problems.push(...story.log.problems);
  }
  if (id !== undefined && story.seen === null) await poll(id, story, api, deadline);
  return story;
}

/** A single try, without patience: 202 and the id, or the code of the refusal. */
export async function tryProgram({ number, body, idempotencyKey }: Program, api: Api): Promise<{ id: string } | { code: string }> {
  const headers = keyHeader(idempotencyKey);
  const reply = await send(number, 'POST', '/execute', api, SHORT_MS, { headers, body: { ...body, wait: false } });
  if (reply === null) return { code: 'NO_ANSWER' };
  return reply.status === 202 ? { id: (reply.json() as SeenExecution).executionId } : { code: codeOf(reply) };
}

/** One GET that is repeated until a gateway answers. null: none did before the deadline, or it is not there. */
export async function readExecution(
  id: string,
  turn: number,
  api: Api,
  deadline: number,
  refusals: string[] = [],
): Promise<SeenExecution | null> {
  for (let attempt = turn; performance.now() < deadline; attempt += 1) {
    const reply = await send(attempt, 'GET', `/executions/${id}`, api, SHORT_MS);
    if (reply !== null && reply.status === 200) return reply.json() as SeenExecution;
    if (reply !== null && reply.status < 500) return null;
    refusals.push(reply === null ? 'NO_ANSWER' : codeOf(reply));
    await pause();
  }
  return null;
}

export const isEnded = ({ status }: SeenExecution): boolean => ENDED.has(status);

async function submit(turn: number, story: Story, api: Api, { waitMs }: Patience, deadline: number): Promise<void> {
  const { body, idempotencyKey } = story.program;
  const headers = keyHeader(idempotencyKey);
  for (let attempt = turn; performance.now() < deadline; attempt += 1) {
    const reply = await send(attempt, 'POST', '/execute', api, body.wait ? waitMs : SHORT_MS, { headers, body });
    if (reply !== null && (reply.status === 200 || reply.status === 202)) {
      story.acceptedAt ??= Date.now();
      const answer = reply.json() as SeenExecution;
      story.ids.add(answer.executionId);
      if (reply.status === 200) noteEnd(answer, story);
      return;
    }
    if (reply !== null && reply.status < 500) {
      story.problems.push(`refused with ${reply.status}: ${reply.text.slice(0, 200)}`);
      return;
    }
    story.refusals.push(reply === null ? 'NO_ANSWER' : codeOf(reply));
    if (reply !== null) noteAcceptedId(reply, story);
    // A second try could be a second execution.
    if (idempotencyKey === null) return;
    await pause();
  }
}

const keyHeader = (key: string | null): Record<string, string> => (key === null ? {} : { 'idempotency-key': key });

async function poll(id: string, story: Story, api: Api, deadline: number): Promise<void> {
  while (performance.now() < deadline) {
    const execution = await readExecution(id, story.program.number, api, deadline, story.refusals);
    if (execution === null) return void story.problems.push(`${id} was accepted and is not there`);
    if (isEnded(execution)) return noteEnd(execution, story);
    await sleep(200);
  }
}

function noteEnd(execution: SeenExecution, story: Story): void {
  story.endedAt ??= Date.now();
  story.seen ??= execution;
  if (!isEnded(execution)) story.problems.push(`was answered as ${execution.status}`);
}

/** A gateway that stops tells the id of what it has accepted. */
function noteAcceptedId(reply: Reply, story: Story): void {
  const { error } = reply.json() as { error: { details?: { executionId?: string } } };
  if (error.details?.executionId !== undefined) story.ids.add(error.details.executionId);
}

async function send(
  turn: number,
  method: string,
  path: string,
  { gateways, key }: Api,
  timeoutMs: number,
  options: { readonly headers?: Record<string, string>; readonly body?: unknown } = {},
): Promise<Reply | null> {
  const url = gateways[turn % gateways.length] ?? '';
  try {
    return await ask({ url, key }, method, path, { ...options, signal: AbortSignal.timeout(timeoutMs) });
  } catch {
    return null; // The connection broke, or nobody answered; either is what this is about.
  }
}

function codeOf(reply: Reply): string {
  try {
    return (reply.json() as { error: { code: string } }).error.code;
  } catch {
    return `STATUS_${reply.status}`;
  }
}

const pause = (): Promise<void> => sleep(100 + Math.random() * 200);
