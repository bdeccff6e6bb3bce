import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { createWrapperStore } from '@code-executor/wrappers';
import { type Service, startService } from '../../test/support/start-service.ts';
import { type Series, summarise } from '../statistics.ts';
import { manyTools, queries } from './many-tools.ts';

const SEARCHES = 400;

export interface CatalogFigures {
  readonly tools: number;
  readonly generateAllMs: number;
  readonly generateChangedMs: number;
  readonly search: Series;
}

/** Wrapper generation from nothing and after one tool changed; search over HTTP, as an agent asks. */
export async function measureCatalog(directory: string, count: number): Promise<CatalogFigures> {
  const { generateAllMs, generateChangedMs } = await measureWrappers(join(directory, `wrappers-${count}`), count);
  const dataDir = join(directory, `catalog-${count}`);
  mkdirSync(dataDir, { recursive: true });
  const server = fileURLToPath(new URL('./many-tools-server.ts', import.meta.url));
  const serversFile = { mcpServers: { many: { command: process.execPath, args: [server, String(count)] } } };
  writeFileSync(join(dataDir, 'mcp-servers.json'), JSON.stringify(serversFile));
  const service = await startService(dataDir, { EXECUTOR_POOL_TYPESCRIPT: '1', EXECUTOR_POOL_PYTHON: '0' });
  try {
    await untilTools(service, count);
    const durations: number[] = [];
    for (const query of queries(SEARCHES)) {
      const before = performance.now();
      const answer = await service.get(`/tools/search?q=${encodeURIComponent(query)}&detail=description&limit=20`);
      durations.push(performance.now() - before);
      const { total: found = 0 } = answer.body as { total?: number };
      if (answer.status !== 200 || found === 0) throw new Error(`search for ${query} answered ${answer.status} with ${found} tools`);
    }
    return { tools: count, generateAllMs, generateChangedMs, search: summarise(durations) };
  } finally {
    await service.stop();
  }
}

async function measureWrappers(dir: string, count: number): Promise<{ generateAllMs: number; generateChangedMs: number }> {
  mkdirSync(dir, { recursive: true });
  const store = createWrapperStore({ dir });
  try {
    const before = performance.now();
    const all = manyTools('many', count);
    await store.snapshot(all);
    const generateAllMs = performance.now() - before;
    const changed: number[] = [];
    for (let run = 0; run < 5; run += 1) {
      // As the catalog does it: a definition that did not change stays the same object.
      const index = Math.floor((count / 5) * run);
      const tools = all.with(index, { ...manyTools('many', count, index)[index], server: 'many' } as (typeof all)[number]);
      // A change follows the one before at its leisure; the store prepares for it meanwhile.
      await store.settled();
      const start = performance.now();
      await store.snapshot(tools);
      changed.push(performance.now() - start);
    }
    return { generateAllMs, generateChangedMs: summarise(changed).p50 };
  } finally {
    await store.close();
  }
}

async function untilTools(service: Service, count: number): Promise<void> {
  const deadline = performance.now() + 60_000;
  for (;;) {
    const { body } = await service.get('/health');
    if ((body as { totalTools?: number }).totalTools === count) return;
    if (performance.now() > deadline) throw new Error(`only ${JSON.stringify(body)} after 60 s`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}
