import { setTimeout as sleep } from 'node:timers/promises';
import { ask } from '../support/ask.ts';
import type { ChaosFleet } from './chaos-fleet.ts';
import { type Evidence, judge, type Verdict } from './judge.ts';
import { type Api, isEnded, readExecution, type Story } from './run-program.ts';

/** A tool call that nobody waits for any more is in the ledger by then. */
const LATE_WRITES_MS = 2_500;
const READ_MS = 20_000;
const READERS = 8;

/** Asks the API for every execution once more, and holds it against what its client was told and what the ledger has. */
export async function gatherEvidence(
  fleet: Pick<ChaosFleet, 'ledger'>,
  api: Api,
  stories: readonly Story[],
): Promise<{ readonly evidence: readonly Evidence[]; readonly verdict: Verdict }> {
  await sleep(LATE_WRITES_MS);
  const ledger = await fleet.ledger.entries();
  const writesOf = Map.groupBy(ledger, ({ nonce }) => nonce);
  const evidence = await inParallel(stories, READERS, async (story): Promise<Evidence> => {
    const [id] = story.ids;
    const final = id === undefined ? null : await readExecution(id, story.program.number, api, performance.now() + READ_MS);
    return { story, final: final !== null && isEnded(final) ? final : null, writes: writesOf.get(story.program.nonce) ?? [] };
  });
  return { evidence, verdict: judge(evidence, ledger, await listAll(api)) };
}

async function listAll(api: Api): Promise<string[]> {
  const ids: string[] = [];
  let cursor: string | null = '';
  while (cursor !== null) {
    const path: string = `/executions?limit=200${cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`}`;
    const reply = await ask({ url: api.gateways[0] ?? '', key: api.key }, 'GET', path);
    if (reply.status !== 200) throw new Error(`the history cannot be read: ${reply.text}`);
    const page = reply.json() as { items: { executionId: string }[]; nextCursor: string | null };
    ids.push(...page.items.map(({ executionId }) => executionId));
    cursor = page.nextCursor;
  }
  return ids;
}

async function inParallel<Item, Answer>(items: readonly Item[], width: number, act: (item: Item) => Promise<Answer>): Promise<Answer[]> {
  const answers: Answer[] = [];
  const left = items.entries();
  const work = async (): Promise<void> => {
    for (const [index, item] of left) answers[index] = await act(item);
  };
  await Promise.all(Array.from({ length: width }, work));
  return answers;
}
