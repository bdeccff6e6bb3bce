import type { DocumentKind, ParsedSource, SourceKind } from '../../port.ts';

/** A kind that does what its document says: the reader must survive all of it. */
const unrulyKind: SourceKind<{ readonly of: string }> = {
  kind: 'openapi',
  detect: ({ text }) => (text.startsWith('do: ') ? 'a kind of its own' : null),
  async parse({ text }, { fetchText, onProgress }): Promise<ParsedSource<{ readonly of: string }>> {
    onProgress(0.5);
    const [act = '', argument = ''] = text.slice('do: '.length).split(' ');
    if (act === 'grow') {
      const kept: unknown[] = [];
      for (;;) kept.push(Array.from({ length: 10_000 }, (_, index) => ({ index })));
    }
    if (act === 'hang') for (;;) if (Date.now() === 0) break;
    if (act === 'recurse') recurse();
    if (act === 'throw') throw new Error('a secret place: /root');
    const names = act === 'fetch' ? [await fetchText(argument)] : argument.split(',').filter((name) => name !== '');
    return {
      title: 'Unruly',
      version: '1',
      baseUrl: null,
      securitySchemes: [],
      operations: names.length,
      warnings: [],
      tools: names.map((name) => ({
        name,
        description: '',
        inputSchema: act === 'large' ? { type: 'object', description: 'x'.repeat(600_000) } : { type: 'object' },
        annotations: {},
        binding: { of: name },
      })),
    };
  },
  invoke: async () => ({ ok: true, value: null }),
  probe: async () => null,
};

const recurse = (): number => recurse() + 1;

export const DOCUMENT_KINDS: ReadonlyMap<DocumentKind, SourceKind> = new Map([[unrulyKind.kind, unrulyKind as SourceKind]]);
