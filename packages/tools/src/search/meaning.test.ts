import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { intentFactor, intentOf, intentOfTool } from './intent.ts';
import { readQuery } from './read-query.ts';
import { createSearchIndex } from './search-index.ts';
import { normaliseWord } from './words.ts';

const TOOLS = [
  { server: 'forge', name: 'issues.create', description: 'Create an issue' },
  { server: 'forge', name: 'issues.list', description: 'List issues' },
  { server: 'forge', name: 'issues.delete', description: 'Delete an issue' },
  { server: 'forge', name: 'legacy.issues.create', description: 'Create an issue' },
  { server: 'shop', name: 'PostRefunds', description: 'Create a refund.' },
  { server: 'shop', name: 'GetRefunds', description: 'Lists refunds.' },
  { server: 'shop', name: 'PostRefundsRefundNotesNote', description: 'Changes a note of a refund.' },
  { server: 'mail', name: 'messages.send', description: 'Sends the specified message' },
  { server: 'cal', name: 'freebusy.query', description: 'Returns free/busy information' },
];

function first(query: string, tools: readonly (typeof TOOLS)[number][] = TOOLS): string | undefined {
  const index = createSearchIndex();
  for (const [id, tool] of tools.entries()) index.add(id, { ...tool, inputSchema: { type: 'object' } });
  const [best] = index.find(query).toSorted((a, b) => b.score - a.score || a.id - b.id);
  const tool = best === undefined ? undefined : tools[best.id];
  return tool && `${tool.server}.${tool.name}`;
}

describe('what is meant', () => {
  it.each([
    ['open a new bug ticket', 'forge.issues.create'],
    ['show all tickets', 'forge.issues.list'],
    ['remove a ticket', 'forge.issues.delete'],
    ['give somebody their money back', 'shop.PostRefunds'],
    ['which reimbursements are there', 'shop.GetRefunds'],
    ['when do my colleagues have time', 'cal.freebusy.query'],
    ['refunds', 'shop.GetRefunds'],
  ])('by %j is found first', (query, tool) => expect(first(query)).toBe(tool));

  it('is looked for in the integration that is named', () => {
    const twice = [
      { server: 'alpha', name: 'send_message', description: 'Sends a message' },
      { server: 'beta', name: 'send_message', description: 'Sends a message' },
    ];
    expect(first('send a message with beta', twice)).toBe('beta.send_message');
    expect(first('send a message', twice)).toBe('alpha.send_message');
  });

  it('is found by words alone where they mean nothing: small ones, and signs', () => {
    expect(readQuery('what is it').slots.map(({ term }) => term)).toEqual(['what', 'is', 'it']);
    expect(readQuery('what is the issue').slots.map(({ term }) => term)).toEqual([normaliseWord('issue')]);
    expect(readQuery('').slots).toEqual([]);
    expect(first('???')).toBeUndefined();
  });

  it('is a word of its own where several words in a row mean one thing', () => {
    const [slot] = readQuery('money back').slots;
    expect(slot?.alternatives[0]).toEqual({ text: normaliseWord('refund'), factor: 1 });
  });
});

describe('what is wanted done', () => {
  it.each([
    ['get the issue', ['issues', 'list']],
    ['delete it', ['delete', 'user']],
    ['make one', ['create', 'user']],
  ])('%j agrees with a tool that does it', (query, name) => {
    const stems = (words: readonly string[]) => words.flatMap((word) => normaliseWord(word) ?? []);
    const does = intentOfTool(stems(name), { server: 's', name: name.join('.'), description: '', inputSchema: true });
    expect(intentFactor(intentOf(stems(query.split(' '))), does)).toBeGreaterThan(1);
  });

  it('counts for nothing where nobody says', () => {
    expect(intentFactor(0, 2)).toBe(1);
    expect(intentFactor(2, 0)).toBe(1);
  });
});

it('any words in any order give a finite score, and the same one again', () => {
  const words = fc.constantFrom(
    'money',
    'back',
    'ticket',
    'open',
    'the',
    'shop',
    'freebusy',
    'x',
    '',
    'refund',
    'k8s',
    'google',
    'in',
    'out',
    'of',
    'office',
  );
  fc.assert(
    fc.property(fc.array(words, { maxLength: 20 }), (query) => {
      const index = createSearchIndex();
      for (const [id, tool] of TOOLS.entries()) index.add(id, { ...tool, inputSchema: true });
      const hits = index.find(query.join(' '));
      expect(hits.every(({ score }) => Number.isFinite(score) && score >= 0)).toBe(true);
      expect(index.find(query.join(' '))).toEqual(hits);
    }),
  );
});
