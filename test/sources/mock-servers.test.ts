import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, extname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { documentFixtures } from '../support/document-fixtures.ts';
import { serviceForThisFile } from '../support/service-suite.ts';
import { exampleOf } from './support/example-of.ts';
import { type JudgedUpstream, startPrism } from './support/judged-upstream.ts';
import { hasGoodAnswer, sliceDocument, WAYS, type Way, withoutAnswers } from './support/slice-document.ts';

const FIXTURES = documentFixtures();
const MOCKS = process.env.EXECUTOR_TEST_MOCKS;
/** Prism does not come up with all that its answers refer to. */
const HEAVY = /stripe/;
/** What Prism refuses without being right. */
const EXEMPT = new Map([
  ['post_anything_and', 'wants Basic and Bearer in one header, which nobody can send'],
  ['PostFiles', 'wants reserved characters percent-encoded in multipart, which OpenAPI asks of forms alone'],
]);
/** Operations of each way (path, query, …) that are taken of a document. */
const EACH = 4;
const skip = MOCKS === undefined ? ' (skipped: EXECUTOR_TEST_MOCKS names no folder with Prism)' : '';

const documents = ['openapi', 'openapi/small']
  .flatMap((folder) => (existsSync(join(FIXTURES, folder)) ? readdirSync(join(FIXTURES, folder)).map((name) => join(folder, name)) : []))
  .filter((file) => ['.json', '.yaml'].includes(extname(file)));

interface Scheme {
  readonly type: string;
  readonly scheme?: string;
}

/** A credential of each kind that a document may ask for. */
const authFor = (name: string, { type, scheme }: Scheme): object =>
  type === 'basic' || (type === 'http' && scheme?.toLowerCase() === 'basic')
    ? { type: 'basic', username: 'ada', password: 'a password' }
    : type === 'apiKey'
      ? { type: 'apiKey', value: 'a-key-7f3c', scheme: name }
      : { type: 'bearer', token: 'a-token-7f3c' };

describe.skipIf(MOCKS === undefined || documents.length === 0)(
  `real documents before a mock server that judges what it is asked${skip}`,
  () => {
    const { service } = serviceForThisFile({ EXECUTOR_POOL_TYPESCRIPT: '0', EXECUTOR_POOL_PYTHON: '0' });
    const directory = mkdtempSync(join(tmpdir(), 'mocks-'));
    const proven = new Map<Way, number>(WAYS.map((way) => [way, 0]));
    const rows: string[] = [];
    afterAll(() => {
      process.stdout.write(`\n${rows.join('\n')}\n`);
      rmSync(directory, { recursive: true, force: true });
    });
    const ask = async (path: string, body: unknown): Promise<unknown> => {
      const answer = await service().post(path, body);
      expect(answer.status, JSON.stringify(answer.body)).toBeLessThan(300);
      return answer.body;
    };

    it.each(documents)(
      '%s: what is sent is what the document asks for',
      async (file) => {
        const whole = parse(readFileSync(join(FIXTURES, file), 'utf8')) as Record<string, unknown>;
        const { document, ways } = sliceDocument(whole, EACH);
        if (ways.size === 0) return;
        const slug = basename(file, extname(file))
          .toLowerCase()
          .replace(/[^a-z0-9]+/g, '-');
        const prism = await startPrism(MOCKS ?? '', HEAVY.test(file) ? withoutAnswers(document) : document, directory, slug);
        try {
          await ask('/integrations', { slug, kind: 'openapi', document, baseUrl: prism.url, trust: true });
          const connections = await connect(slug, document);
          const { items } = (await service().get(`/tools?server=${slug}&limit=1000`)).body as { items: { name: string }[] };
          const wrong: string[] = [];
          let skipped = 0;
          for (const { name } of items) {
            const info = (await service().get(`/tools/info/${slug}/${encodeURIComponent(name)}`)).body as {
              inputSchema: Record<string, unknown>;
            };
            const args = exampleOf(info.inputSchema, info.inputSchema);
            if (args === undefined) {
              skipped += 1;
              continue;
            }
            const problem = await judged(prism, { document, ways }, connections, slug, name, args);
            if (problem !== null && !EXEMPT.has(name)) wrong.push(`${name} ${JSON.stringify(args).slice(0, 300)}: ${problem}`);
          }
          rows.push(
            `${file.padEnd(44)} ${String(items.length).padStart(3)} operations, ${skipped} without an example, ${wrong.length} wrong`,
          );
          expect(wrong).toEqual([]);
          expect(items.length).toBe(ways.size);
          expect(skipped).toBeLessThanOrEqual(items.length / 4);
        } finally {
          await prism.close();
        }
      },
      120_000,
    );

    it('were called in every way', () => {
      rows.push(`calls that were right, by what they carried: ${[...proven].map(([way, count]) => `${way} ${count}`).join(', ')}`);
      for (const [way, count] of proven) expect(count, way).toBeGreaterThan(0);
    });

    /** One connection for each security scheme of the document. */
    async function connect(slug: string, document: Record<string, unknown>): Promise<string[]> {
      const { securitySchemes } = (document.components ?? {}) as { securitySchemes?: Record<string, Scheme> };
      const schemes = Object.entries((securitySchemes ?? document.securityDefinitions ?? {}) as Record<string, Scheme>);
      for (const [index, [name, scheme]] of schemes.entries())
        await ask('/connections', { integration: slug, name: `c${index}`, owner: 'workspace', auth: authFor(name, scheme) });
      return schemes.map((_, index) => `c${index}`);
    }

    /** What Prism has against the call, by whichever credential; null: nothing. */
    async function judged(
      prism: JudgedUpstream,
      { document, ways }: ReturnType<typeof sliceDocument>,
      connections: readonly string[],
      slug: string,
      name: string,
      args: unknown,
    ): Promise<string | null> {
      let problem = '';
      for (const connection of connections.length === 0 ? [''] : connections) {
        const before = prism.requests.length;
        const address = connection === '' ? slug : `${slug}@${connection}`;
        const answer = await service().post(`/tools/invoke/${encodeURIComponent(address)}/${encodeURIComponent(name)}`, { args });
        const request = prism.requests.at(-1);
        if (request === undefined || prism.requests.length === before)
          return `nothing was sent: ${JSON.stringify(answer.body).slice(0, 400)}`;
        const key = keyOf(request, ways);
        // Where a mock answer does not fit its own document, Prism says 500; where there are only errors, one of them.
        const isGood = answer.status === 200 || request.status >= 500 || !hasGoodAnswer(document, key);
        if (request.violations === '' && isGood) {
          for (const way of ways.get(key) ?? []) proven.set(way, (proven.get(way) ?? 0) + 1);
          return null;
        }
        problem = `${request.method} ${request.path} ${request.headers['content-type'] ?? ''} ${request.body.slice(0, 300)}: ${request.status} ${request.violations}`;
      }
      return problem;
    }
  },
);

/** The operation that a request is of. */
function keyOf({ method, path }: { method: string; path: string }, ways: ReadonlyMap<string, unknown>): string {
  const [plain = ''] = path.split('?');
  const fits = (key: string): boolean => {
    const [verb = '', template = ''] = key.split(' ');
    const pattern = template.replace(/[.*+?^$()|[\]\\]/g, '\\$&').replace(/\{[^}]+\}/g, '[^/]+');
    return verb === method.toLowerCase() && new RegExp(`^${pattern}$`).test(plain);
  };
  return [...ways.keys()].find(fits) ?? '';
}
