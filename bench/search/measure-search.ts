import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { basename, extname, join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { documentFixtures } from '../../test/support/document-fixtures.ts';
import { type Service, startService } from '../../test/support/start-service.ts';
import { type Series, summarise } from '../statistics.ts';
import { LABELLED_QUERIES } from './labelled-queries.ts';

const DOCUMENTS = documentFixtures();
/** Nothing listens there: nothing is called here. */
const NOWHERE = 'http://127.0.0.1:9';
const FIRST = 5;
const CATALOG_TIMEOUT_MS = 300_000;

/** Queries with an answer among the first five, of how many. */
export interface Recall {
  found: number;
  of: number;
}

export interface SearchFigures {
  readonly tools: number;
  readonly all: Recall;
  /** The half that the ranking was tuned on, and the one that was held out. */
  readonly tuned: Recall;
  readonly heldOut: Recall;
  /** Those that share no word with the name of an answer. */
  readonly withoutName: Recall;
  readonly latency: Series;
  readonly missed: readonly string[];
}

/** The labelled queries over all fixtures together, asked over HTTP as an agent asks. Null: there are no fixtures. */
export async function measureSearch(directory: string, serversFile: string): Promise<SearchFigures | null> {
  if (!existsSync(DOCUMENTS)) return null;
  const dataDir = join(directory, 'search');
  mkdirSync(dataDir, { recursive: true });
  const service = await startService(dataDir, {
    EXECUTOR_POOL_TYPESCRIPT: '0',
    EXECUTOR_POOL_PYTHON: '0',
    EXECUTOR_MCP_SERVERS: serversFile,
  });
  try {
    for (const { slug, path } of fixtureDocuments()) {
      const added = await service.post('/integrations', { slug, document: readFileSync(path, 'utf8'), baseUrl: NOWHERE });
      if (added.status !== 201) throw new Error(`${slug} was not added: ${JSON.stringify(added.body).slice(0, 500)}`);
    }
    return await askAll(service, await untilComplete(service));
  } finally {
    await service.stop();
  }
}

/** The file's own name is the integration's. */
function fixtureDocuments(): { readonly slug: string; readonly path: string }[] {
  return ['openapi', 'graphql', 'discovery'].flatMap((folder) =>
    readdirSync(join(DOCUMENTS, folder))
      .filter((name) => ['.json', '.yaml', '.graphql'].includes(extname(name)))
      .map((name) => ({
        slug: `${basename(name, extname(name))}${folder === 'graphql' ? '-graphql' : ''}`,
        path: join(DOCUMENTS, folder, name),
      })),
  );
}

async function askAll(service: Service, tools: number): Promise<SearchFigures> {
  const recall = (): Recall => ({ found: 0, of: 0 });
  const figures = { all: recall(), tuned: recall(), heldOut: recall(), withoutName: recall() };
  const durations: number[] = [];
  const missed: string[] = [];
  for (const [index, [query, ...answers]] of LABELLED_QUERIES.entries()) {
    const before = performance.now();
    const { status, body } = await service.get(`/tools/search?q=${encodeURIComponent(query)}&detail=name&limit=${FIRST}`);
    durations.push(performance.now() - before);
    if (status !== 200) throw new Error(`search answered ${status}`);
    const items = (body as { items: Record<string, string[]> }).items;
    const found = Object.entries(items).flatMap(([server, names]) => names.map((name) => ({ server, name })));
    const isFound = found.some((tool) => answers.some((answer) => isAnswer(tool, answer)));
    if (!isFound) missed.push(query);
    const counted = [figures.all, index % 2 === 0 ? figures.tuned : figures.heldOut];
    if (answers.every((answer) => !sharesWord(query, answer))) counted.push(figures.withoutName);
    for (const each of counted) {
      each.of += 1;
      if (isFound) each.found += 1;
    }
  }
  return { tools, ...figures, latency: summarise(durations), missed };
}

function isAnswer({ server, name }: { readonly server: string; readonly name: string }, answer: string): boolean {
  const at = answer.indexOf(':');
  return server === answer.slice(0, at) && bare(name).endsWith(bare(answer.slice(at + 1)));
}

const bare = (text: string): string => text.toLowerCase().replace(/[^a-z0-9]/g, '');

/** By the beginnings of words, so that another ending is no other word. */
function sharesWord(query: string, answer: string): boolean {
  const wordsOf = (text: string): string[] =>
    (text.match(/[A-Z]?[a-z]+|[A-Z]+(?![a-z])/g) ?? []).map((word) => word.toLowerCase().slice(0, 5));
  const inName = new Set(wordsOf(answer.slice(answer.indexOf(':') + 1)));
  return wordsOf(query).some((word) => word.length > 2 && inName.has(word));
}

/** Resolves with their number when no more tools come: servers start in their own time. */
async function untilComplete(service: Service): Promise<number> {
  const deadline = performance.now() + CATALOG_TIMEOUT_MS;
  for (let last = -1; performance.now() < deadline; ) {
    const { body } = await service.get('/tools/search?q=&detail=name&limit=1');
    const { total } = body as { total: number };
    const { body: health } = await service.get('/health');
    const isStarting = JSON.stringify(health).includes('"starting"');
    if (total === last && !isStarting) return total;
    last = total;
    await sleep(2_000);
  }
  throw new Error('the catalog did not come to rest');
}
