import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { documentFixtures } from '../../test/support/document-fixtures.ts';
import { startService } from '../../test/support/start-service.ts';
import { probeHealth } from '../probe-health.ts';
import { type Series, summarise } from '../statistics.ts';

/** The largest real description at hand: 13 MB, 1,223 operations. */
const DOCUMENT = join(documentFixtures(), 'openapi/github-rest.json');
const ROUNDS = 3;
const ASK_EVERY_MS = 5;
/** Nothing listens there: the API itself is not asked anything. */
const NOWHERE = 'http://127.0.0.1:9';

export interface SourceFigures {
  readonly megabytes: number;
  readonly tools: number;
  /** Parsing and dereferencing alone, in this process. */
  readonly floorMs: number;
  readonly addMs: Series;
  /** Of `/health`, asked all the while. */
  readonly health: Series;
  readonly peakMb: number;
}

/** What adding a large document costs, and what everybody else notices of it. Null: the document is not there. */
export async function measureSources(directory: string): Promise<SourceFigures | null> {
  if (!existsSync(DOCUMENT)) return null;
  const text = readFileSync(DOCUMENT, 'utf8');
  const dataDir = join(directory, 'sources');
  mkdirSync(dataDir, { recursive: true });
  const service = await startService(dataDir, { EXECUTOR_POOL_TYPESCRIPT: '1', EXECUTOR_POOL_PYTHON: '0' });
  try {
    const added: number[] = [];
    const asked: number[] = [];
    let tools = 0;
    for (let round = 0; round < ROUNDS; round += 1) {
      const stop = new AbortController();
      const watching = probeHealth(service, ASK_EVERY_MS, stop.signal);
      const before = performance.now();
      const answer = await service.post('/integrations', { slug: `large-${round}`, document: text, baseUrl: NOWHERE });
      added.push(performance.now() - before);
      stop.abort();
      asked.push(...(await watching));
      if (answer.status !== 201) throw new Error(`The document was answered ${answer.status}: ${JSON.stringify(answer.body)}`);
      tools = (answer.body as { toolCount: number }).toolCount;
    }
    const peakMb = Math.round(Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${service.pid}/status`, 'utf8'))?.[1] ?? 0) / 1_000);
    const floorMs = summarise(Array.from({ length: ROUNDS }, () => parseAndDereference(text))).p50;
    return { megabytes: Buffer.byteLength(text) / 1e6, tools, floorMs, addMs: summarise(added), health: summarise(asked), peakMb };
  } finally {
    await service.stop();
  }
}

/** The least that every reader of such a document does: the value, with each reference replaced by what it refers to. */
function parseAndDereference(text: string): number {
  const before = performance.now();
  const root: unknown = JSON.parse(text);
  const seen = new Set<object>();
  const visit = (node: unknown): void => {
    if (typeof node !== 'object' || node === null || seen.has(node)) return;
    seen.add(node);
    for (const [key, child] of Object.entries(node)) {
      const target = targetOf(child, root);
      if (target !== undefined) (node as Record<string, unknown>)[key] = target;
      visit(target ?? child);
    }
  };
  visit(root);
  return performance.now() - before;
}

function targetOf(node: unknown, root: unknown): unknown {
  if (typeof node !== 'object' || node === null || !('$ref' in node) || typeof node.$ref !== 'string' || !node.$ref.startsWith('#/'))
    return undefined;
  let target = root;
  for (const part of node.$ref.slice(2).split('/')) {
    if (typeof target !== 'object' || target === null) return undefined;
    target = (target as Record<string, unknown>)[decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~')];
  }
  return target;
}
