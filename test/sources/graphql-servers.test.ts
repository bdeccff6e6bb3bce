import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { documentFixtures } from '../support/document-fixtures.ts';
import { serviceForThisFile } from '../support/service-suite.ts';
import { exampleOf } from './support/example-of.ts';
import { startGraphqlServer } from './support/graphql-server.ts';

const FOLDER = join(documentFixtures(), 'graphql');
const MOCKS = process.env.EXECUTOR_TEST_MOCKS;
const schemas = existsSync(FOLDER) ? readdirSync(FOLDER).filter((name) => name.endsWith('.graphql')) : [];
const AT_ONCE = 8;
const skip = MOCKS === undefined ? ' (skipped: EXECUTOR_TEST_MOCKS names no folder with graphql-yoga)' : '';

describe.skipIf(MOCKS === undefined || schemas.length === 0)(`real GraphQL schemas before a server that runs them${skip}`, () => {
  const { service } = serviceForThisFile({ EXECUTOR_POOL_TYPESCRIPT: '0', EXECUTOR_POOL_PYTHON: '0' });
  const rows: string[] = [];
  afterAll(() => void process.stdout.write(`\n${rows.join('\n')}\n`));

  it.each(schemas)(
    '%s: every query and every mutation is one that its server takes',
    async (file) => {
      const slug = basename(file, '.graphql');
      const server = await startGraphqlServer(MOCKS ?? '', readFileSync(join(FOLDER, file), 'utf8'));
      try {
        // What there is, the server says of itself.
        const added = await service().post('/integrations', { slug, kind: 'graphql', url: server.url, trust: true });
        expect(added.status, JSON.stringify(added.body)).toBe(201);
        const { toolCount } = added.body as { toolCount: number };
        const names: string[] = [];
        for (let cursor = ''; ; ) {
          const { items, nextCursor } = (await service().get(`/tools?server=${slug}&limit=200${cursor}`)).body as {
            items: { name: string }[];
            nextCursor: string | null;
          };
          names.push(...items.map(({ name }) => name));
          if (nextCursor === null || nextCursor === undefined) break;
          cursor = `&cursor=${encodeURIComponent(nextCursor)}`;
        }
        expect(names).toHaveLength(toolCount);
        const wrong: string[] = [];
        let skipped = 0;
        const call = async (name: string): Promise<void> => {
          const { inputSchema } = (await service().get(`/tools/info/${slug}/${encodeURIComponent(name)}`)).body as {
            inputSchema: Record<string, unknown> & { properties?: Record<string, unknown> };
          };
          const { select: _, ...properties } = inputSchema.properties ?? {};
          const args = exampleOf({ ...inputSchema, properties }, inputSchema);
          if (args === undefined) {
            skipped += 1;
            return;
          }
          const { status, body } = await service().post(`/tools/invoke/${slug}/${encodeURIComponent(name)}`, { args });
          if (status !== 200) wrong.push(`${name} ${JSON.stringify(args).slice(0, 300)}: ${JSON.stringify(body).slice(0, 500)}`);
        };
        const queue = [...names];
        const work = async (): Promise<void> => {
          for (let name = queue.shift(); name !== undefined; name = queue.shift()) await call(name);
        };
        await Promise.all(Array.from({ length: AT_ONCE }, work));
        rows.push(`${file.padEnd(20)} ${names.length} called, ${skipped} without an example, ${wrong.length} wrong`);
        expect(wrong).toEqual([]);
        expect(skipped).toBeLessThanOrEqual(names.length / 10);
      } finally {
        await server.close();
      }
    },
    240_000,
  );
});
