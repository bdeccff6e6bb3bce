import type { ToolDefinition } from '@code-executor/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { VisibleTool, VisibleTools } from '../catalog/visible-tools.ts';
import { countTokens } from './count-tokens.ts';
import { isOneSlipAway } from './expand-term.ts';
import { oneLine } from './one-line.ts';
import { createToolSearch } from './tool-search.ts';
import { splitWords } from './words.ts';

function visible(tools: readonly Partial<ToolDefinition>[]): VisibleTools {
  const list: VisibleTool[] = tools.map((tool, index) => ({
    entry: { tool: { server: 's', name: `t${index}`, description: '', inputSchema: {}, ...tool }, digest: String(index), driftedAt: null },
    decision: { action: 'allow', reason: '', policyId: null },
  }));
  return {
    list,
    byServer: Map.groupBy(list, ({ entry }) => entry.tool.server),
    find: () => undefined,
    codeNames: () => new Map(),
    codeAddresses: () => new Map(),
    definitions: () => [],
  };
}

const CATALOG: Partial<ToolDefinition>[] = [
  { server: 'github', name: 'createPullRequest', description: 'Opens a pull request.' },
  {
    server: 'github',
    name: 'list_issues',
    description: 'Lists the issues of a repository.',
    inputSchema: { type: 'object', properties: { assignee: { description: 'Who works on it' } } },
  },
  { server: 'files', name: 'read_text_file', description: 'Reads a file.' },
  { server: 'files', name: 'write_file', description: 'Writes a file, creating it where it is missing.' },
  { server: 'n8n', name: 'validate', description: 'Validates a workflow.' },
];

async function searchOver(tools: readonly Partial<ToolDefinition>[]) {
  let current = visible(tools);
  const search = createToolSearch(() => current);
  search.changed();
  await search.settled();
  const names = (q: string, server?: string): string[] => {
    const { items } = search.search({ q, server, detail: 'name', limit: 50, offset: 0 }, () => ({}));
    return Object.values(items as Record<string, string[]>).flat();
  };
  return {
    search,
    names,
    async change(next: readonly Partial<ToolDefinition>[]) {
      current = visible(next);
      search.changed();
      await search.settled();
    },
  };
}

describe('search over tools', () => {
  it.each([
    ['pull request', 'createPullRequest'],
    ['creating pull requests', 'createPullRequest'],
    ['issue', 'list_issues'],
    ['isues', 'list_issues'],
    ['repo', 'list_issues'],
    ['assignee', 'list_issues'],
    ['read file', 'read_text_file'],
    ['READ_TEXT_FILE', 'read_text_file'],
    ['n8n', 'validate'],
    ['workflwo', 'validate'],
  ])('finds for %s first %s', async (q, name) => {
    expect((await searchOver(CATALOG)).names(q)[0]).toBe(name);
  });

  it('lists in the order of the catalog for an empty query, filters by server, and pages without gap or repetition', async () => {
    const { names, search } = await searchOver(CATALOG);
    expect(names('')).toEqual(CATALOG.map(({ name }) => name));
    expect(names('file', 'github')).toEqual([]);
    expect(names('', 'files')).toEqual(['read_text_file', 'write_file']);
    const pages: string[] = [];
    let offset: number | null = 0;
    while (offset !== null) {
      const answer = search.search({ q: '', detail: 'name', limit: 2, offset }, () => ({}));
      expect(answer.total).toBe(5);
      pages.push(...Object.values(answer.items as Record<string, string[]>).flat());
      offset = answer.nextOffset;
    }
    expect(pages).toEqual(CATALOG.map(({ name }) => name));
  });

  it('orders equals as the catalog does, always the same, at any page size', async () => {
    const same = Array.from({ length: 200 }, (_, index) => ({
      name: `alike_${String.fromCharCode(97 + (index % 26))}`,
      server: `s${index}`,
      description: 'sends mail',
    }));
    const { search } = await searchOver(same);
    const servers = (limit: number, offset: number) =>
      Object.keys(search.search({ q: 'mail', detail: 'name', limit, offset }, () => ({})).items as object);
    const all = servers(200, 0);
    expect(all).toEqual(same.map(({ server }) => server));
    expect([...servers(7, 0), ...servers(7, 7), ...servers(7, 14)]).toEqual(all.slice(0, 21));
  });

  it('follows the catalog: what is gone is not found, what is new is', async () => {
    const { names, change } = await searchOver(CATALOG);
    await change([...CATALOG.slice(1), { name: 'send_invoice' }]);
    expect(names('pull')).toEqual([]);
    expect(names('invoice')).toEqual(['send_invoice']);
    for (let round = 0; round < 300; round += 1) await change([{ name: `only_${round}` }]);
    expect(names('only')).toEqual(['only_299']);
  });

  it('counts the tokens of exactly what it answers, in every detail', async () => {
    const { search } = await searchOver(CATALOG);
    for (const detail of ['name', 'description', 'full'] as const) {
      for (const limit of [1, 2, 5]) {
        const answer = search.search({ q: '', detail, limit, offset: 0 }, ({ entry }) => ({
          server: entry.tool.server,
          name: entry.tool.name,
          text: `${entry.tool.description} "}`,
        }));
        expect(answer.tokens).toBe(countTokens(JSON.stringify(answer.items)));
        expect(answer.tokensSaved).toBeGreaterThanOrEqual(0);
      }
    }
  });

  it('answers any query', async () => {
    const { search } = await searchOver([...CATALOG, { server: '__proto__', name: 'constructor', description: '<|endoftext|>'.repeat(5) }]);
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (q) => {
        expect(search.search({ q, detail: 'description', limit: 10, offset: 0 }, () => ({})).total).toBeLessThanOrEqual(6);
      }),
    );
    expect(Object.keys(search.search({ q: 'constructor', detail: 'name', limit: 10, offset: 0 }, () => ({})).items as object)).toEqual([
      '__proto__',
    ]);
  });

  it('answers among 10,000 tools in a few milliseconds of computing, in every detail', async () => {
    const words =
      'get list create update delete search send file issue invoice customer calendar event message channel ticket report image user team date status owner'.split(
        ' ',
      );
    let seed = 7;
    const next = (): string => {
      seed = (seed * 48_271) % 2_147_483_647;
      return words[seed % words.length] ?? '';
    };
    const several = (count: number): string => Array.from({ length: count }, next).join(' ');
    const many = Array.from({ length: 10_000 }, (_, index) => ({
      server: `service-${index % 50}`,
      name: `${next()}_${next()}_${index}`,
      description: several(25),
      inputSchema: {
        type: 'object',
        properties: Object.fromEntries(
          Array.from({ length: 5 }, () => [`${next()}_${next()}`, { type: 'string', description: several(6) }]),
        ),
      },
    }));
    const { search } = await searchOver(many);
    for (const detail of ['name', 'description', 'full'] as const) {
      const times = Array.from({ length: 200 }, () => {
        const q = several(3);
        const began = process.threadCpuUsage();
        search.search({ q, detail, limit: 20, offset: 0 }, ({ entry }) => ({
          ...entry.tool,
          source: 'const a = await b(c);\n'.repeat(40),
        }));
        const { user, system } = process.threadCpuUsage(began);
        return (user + system) / 1_000;
      }).sort((a, b) => a - b);
      expect(times[100]).toBeLessThan(5);
      expect(times[197]).toBeLessThan(20);
    }
  });

  it('counts tokens of hostile texts in time', () => {
    const began = process.threadCpuUsage();
    countTokens('a'.repeat(32_000) + ' '.repeat(32_000) + '!'.repeat(32_000));
    const { user, system } = process.threadCpuUsage(began);
    expect((user + system) / 1_000).toBeLessThan(1_000);
  });
});

describe('words', () => {
  it.each([
    ['getUserByID2', ['get', 'User', 'By', 'ID', 'getUserByID2']],
    ['read_text-file.now', ['read', 'text', 'file', 'now']],
    ['HTTPServer', ['HTTP', 'Server', 'HTTPServer']],
    ['größe 北京', ['größe', '北京']],
  ])('of %s are %j', (text, words) => expect(splitWords(text)).toEqual(words));

  it('are one slip away exactly where a naive reading says so', () => {
    const word = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 1, maxLength: 6 });
    const slips = (from: string): Set<string> => {
      const all = new Set<string>();
      for (let index = 0; index <= from.length; index += 1) {
        all.add(from.slice(0, index) + from.slice(index + 1));
        for (const letter of 'abc')
          all.add(from.slice(0, index) + letter + from.slice(index)).add(from.slice(0, index) + letter + from.slice(index + 1));
        if (index + 1 < from.length) all.add(from.slice(0, index) + from[index + 1] + from[index] + from.slice(index + 2));
      }
      return all.add(from);
    };
    fc.assert(
      fc.property(word, word, (a, b) => {
        expect(isOneSlipAway(a, b)).toBe(slips(a).has(b));
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('one line of a description', () => {
  it('is its first sentence, or as much of it as fits, without line ends and control characters', () => {
    expect(oneLine('Reads a file. Then more.')).toBe('Reads a file');
    expect(oneLine('# Title\n\n*Does* things')).toBe('Title Does things');
    expect(oneLine('')).toBe('');
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 400 }), (text) => {
        const line = oneLine(text);
        expect(line.length).toBeLessThanOrEqual(88);
        expect(line).not.toMatch(/[\p{Cc}\u2028]/u);
      }),
    );
  });
});
