import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { basename, extname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { documentFixtures } from '../support/document-fixtures.ts';
import { serviceForThisFile } from '../support/service-suite.ts';
import { compilePython, newestSnapshot, typeCheck } from './support/check-wrappers.ts';
import { countOperations } from './support/count-operations.ts';

const FIXTURES = documentFixtures();
/** Nothing listens there: nothing is called here, and no real API is asked whether it is there. */
const NOWHERE = 'http://127.0.0.1:9';

interface Document {
  readonly kind: 'openapi' | 'graphql' | 'discovery';
  readonly file: string;
  readonly slug: string;
  readonly megabytes: number;
}

const documents = ['openapi', 'openapi/small', 'graphql', 'discovery']
  .flatMap((folder) => (existsSync(join(FIXTURES, folder)) ? readdirSync(join(FIXTURES, folder)).map((name) => join(folder, name)) : []))
  .filter((file) => ['.json', '.yaml', '.graphql'].includes(extname(file)))
  .map(
    (file): Document => ({
      kind: file.startsWith('openapi') ? 'openapi' : file.startsWith('graphql') ? 'graphql' : 'discovery',
      file,
      slug: `${file.split('/')[0]?.slice(0, 3)}-${basename(file, extname(file))}`.toLowerCase().replace(/[^a-z0-9]+/g, '-'),
      megabytes: statSync(join(FIXTURES, file)).size / 1e6,
    }),
  )
  .sort((a, b) => a.megabytes - b.megabytes);

describe.skipIf(documents.length === 0)('real documents (skipped where ../shared/fixtures is absent)', () => {
  const { service, dataDir } = serviceForThisFile({ EXECUTOR_POOL_TYPESCRIPT: '0', EXECUTOR_POOL_PYTHON: '0' });
  const rows: string[] = [];
  afterAll(() => {
    process.stdout.write(`\n${rows.join('\n')}\n`);
  });

  it.each(documents)(
    '$file becomes a tool for each of its operations, with wrappers that type-check and compile',
    async ({ kind, file, slug, megabytes }) => {
      const text = readFileSync(join(FIXTURES, file), 'utf8');
      forgetPeakMemory(service().pid);
      const began = performance.now();
      const added = await service().post('/integrations', { slug, document: text, baseUrl: NOWHERE });
      const seconds = (performance.now() - began) / 1_000;
      const peakMb = peakMemoryMb(service().pid);
      const operations = countOperations(kind, text);
      if (operations === 0) {
        // A document of webhooks alone: there is nothing that could be called.
        expect(added.body).toMatchObject({ error: { code: 'INTEGRATION_INVALID', message: expect.stringContaining('no operation') } });
        return;
      }
      expect(added.status, JSON.stringify(added.body)).toBe(201);
      const { toolCount } = added.body as { toolCount: number };
      const snapshot = newestSnapshot(dataDir());
      const typescript = typeCheck(snapshot, slug);
      const python = await compilePython(snapshot, slug);
      const failures = [...typescript.failures, ...python.failures];
      rows.push(
        [
          file.padEnd(44),
          `${megabytes.toFixed(2)} MB`.padStart(9),
          `${operations} operations`.padStart(16),
          `${toolCount} tools`.padStart(11),
        ]
          .concat([`${seconds.toFixed(1)} s`.padStart(7), `${peakMb} MB peak`.padStart(13), `${failures.length} failures`])
          .join(' '),
      );
      expect(failures).toEqual([]);
      expect(toolCount).toBe(operations);
      expect([typescript.files, python.files]).toEqual([operations + 1, operations + 1]);
    },
    240_000,
  );
});

/** The kernel counts the peak anew. */
const forgetPeakMemory = (pid: number): void => writeFileSync(`/proc/${pid}/clear_refs`, '5');

const peakMemoryMb = (pid: number): number =>
  Math.round(Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1_000);
