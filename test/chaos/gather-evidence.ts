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
  fleet: Pick<ChaosFleet, 'ledger' | 'postgres' | 'gateways' | 'workers' | 'proxies'>,
  api: Api,
  stories: readonly Story[],
): Promise<{ readonly evidence: readonly Evidence[]; readonly verdict: Verdict }> {
  await sleep(LATE_WRITES_MS);
  const ledger = await fleet.ledger.entries();
  const writesOf = Map.groupBy(ledger, ({ nonce }) => nonce);
  const rowsOf = Map.groupBy(await readRows(fleet), ({ nonce }) => nonce);
  const accepted = stories.filter((story) => isAccepted(story, rowsOf.get(story.program.nonce) ?? []));
  const evidence = await inParallel(accepted, READERS, async (story): Promise<Evidence> => {
    const rows = rowsOf.get(story.program.nonce) ?? [];
    for (const row of rows) story.ids.add(row.id);
    const [id] = story.ids;
    const final = id === undefined ? null : await readExecution(id, story.program.number, api, performance.now() + READ_MS);
    // Of one that was sent without a key, and whose answer did not come, its client has seen nothing.
    if (story.program.idempotencyKey === null && story.acceptedAt === null) story.seen ??= final;
    const claims = Math.max(0, ...rows.map(({ token }) => token));
    return { story, final: final !== null && isEnded(final) ? final : null, writes: writesOf.get(story.program.nonce) ?? [], claims };
  });
  const verdict = judge(evidence, ledger, await listAll(api));
  const deaths = [...fleet.gateways, ...fleet.workers, ...fleet.proxies].flatMap((service) => service.ownDeaths());
  return { evidence, verdict: { ...verdict, otherProblems: [...verdict.otherProblems, ...deaths] } };
}

interface Row {
  readonly id: string;
  readonly token: number;
  readonly nonce: string;
}

/** Which program each row is of, and how often it was claimed: what no client is told. */
async function readRows({ postgres }: Pick<ChaosFleet, 'postgres'>): Promise<Row[]> {
  const statement = "select id || ' ' || token || ' ' || (args_json::json ->> 'nonce') from executions";
  const lines = await postgres.exec(['psql', '-U', 'executor', '-d', 'executor', '-qAt', '-v', 'ON_ERROR_STOP=1', '-c', statement]);
  return lines.split('\n').flatMap((line) => {
    const [id = '', token = '', nonce = ''] = line.trim().split(' ');
    return id === '' ? [] : [{ id, token: Number(token), nonce }];
  });
}

/** A request without a key may have been refused, or broken before anything was written: then it must have left nothing. */
const isAccepted = ({ program, ids }: Story, rows: readonly Row[]): boolean =>
  program.idempotencyKey !== null || ids.size > 0 || rows.length > 0;

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
